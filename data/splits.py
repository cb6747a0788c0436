"""Which split an example goes to by its content: train or eval as TFX's ExampleGen draws it, and
which of those to train on are held out of the training."""

import functools
import hashlib

import numpy as np
import numpy.typing as npt

EVAL_PARTS = 5
"""One of so many parts of the examples is kept for eval."""

_AS_FEATURE = b"\x0a\x22\x0a\x20"
"""What comes before 32 characters in a serialized tf.train.Feature with a list of bytes."""


def example_id(content: bytes, label: int, place: bytes = b"") -> str:
    """Returns what an example is drawn by: 32 hex characters of a BLAKE2b digest.

    Args:
        content: Bytes of its samples or pixels.
        label: Its label.
        place: Where it is in the data, if examples of the same content are to differ.
    """
    return hashlib.blake2b(content + bytes([label & 0xFF]) + place, digest_size=16).hexdigest()


def is_eval(example_id: str) -> bool:
    """Returns whether an example is kept for eval: the last of `EVAL_PARTS` parts.

    Source: `_PartitionFn` in tfx/components/example_gen/base_example_gen_executor.py.
    """
    digest = hashlib.sha256(_AS_FEATURE + example_id.encode()).hexdigest()
    return int(digest, 16) % EVAL_PARTS == EVAL_PARTS - 1


def is_eval_image(example_id: str) -> bool:
    """Returns whether an image is kept for eval, if files do not say so: one of `EVAL_PARTS`."""
    return int(example_id, 16) % EVAL_PARTS == 0


@functools.cache
def tutorial_eval_mask(rows: int) -> npt.NDArray[np.bool_]:
    """Returns bool [rows]: which rows, in the order of files and rows, the tutorial keeps for eval.

    Source: `train_test_split(data, labels, test_size=0.2, random_state=21)` in
    https://www.tensorflow.org/tutorials/generative/autoencoder.
    """
    from sklearn.model_selection import train_test_split

    mask = np.zeros(rows, dtype=bool)
    # scikit-learn refuses to split a single row; "only one class" is what the user has to hear.
    if rows > 1:
        _, chosen = train_test_split(np.arange(rows), test_size=0.2, random_state=21)
        mask[chosen] = True
    return mask


def is_held_out(content_id: str, share: float) -> bool:
    """Returns whether an example of the training split goes to the calibration split.

    The draw is independent of `is_eval` and `is_eval_image`, so eval stays as it is.

    Args:
        content_id: The example's `example_id`, or what else its place is drawn by, such as the
            name of a file.
        share: `data.held_out`; about so many of the examples are held out.
    """
    return held_out_draw(content_id) < share


def held_out_draw(content_id: str) -> float:
    """Returns a number, 0 to below 1, that depends on nothing but the text."""
    digest = hashlib.blake2b(content_id.encode(), digest_size=8, person=b"held out").digest()
    # 53 bits, so that the number is exact and never rounded up to 1.
    return (int.from_bytes(digest) >> 11) / 2**53
