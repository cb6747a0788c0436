"""The candidate with its threshold set inside: what is pushed is what was judged."""

import tensorflow as tf
from tfx.utils import io_utils


def save_judged_model(candidate: str, destination: str, threshold: float | None) -> None:
    """Saves a SavedModel again with its threshold assigned.

    Args:
        candidate: Directory of the Trainer's SavedModel.
        destination: Directory to write.
        threshold: For the model's `threshold` variable; None copies the model as it is.
    """
    if threshold is None:
        io_utils.copy_dir(candidate, destination)
        return
    model = tf.saved_model.load(candidate)
    model.threshold.assign(threshold)
    tf.saved_model.save(model, destination, signatures=model.signatures)
