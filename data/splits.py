"""Which split an example goes to by its content, as TFX's ExampleGen draws it."""

import hashlib

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
