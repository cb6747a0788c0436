"""Weights of an earlier model as the start of a training."""

import tensorflow as tf
from absl import logging

from trainer.models import Autoencoder


def start_from(model: Autoencoder, saved_model: str) -> bool:
    """Takes over the weights of an exported model, if they fit.

    Args:
        model: To be trained; its weights are replaced.
        saved_model: Folder of a SavedModel as `trainer.export` writes it.

    Returns:
        Whether the weights were taken over. A model of another kind or size leaves `model` as it
        is, with a line in the log: training then starts cold.
    """
    earlier = tf.saved_model.load(saved_model)
    values = [variable.numpy() for variable in getattr(earlier, "model_variables", [])]
    expected = [tuple(weight.shape) for weight in model.weights]
    if [value.shape for value in values] != expected:
        logging.warning("%s: other weights than this model's; starting cold", saved_model)
        return False
    model.set_weights(values)
    logging.info("%s: starting from its weights", saved_model)
    return True
