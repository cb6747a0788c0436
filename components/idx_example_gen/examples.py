"""Images as tf.Examples."""

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.idx_example_gen.idx_pair import ImageBlock
from pipeline_config import ID_FEATURE, LABEL_FEATURE, PIXELS_FEATURE, ImageData

GRID = 8
"""Pixels that are compared by row and by column of an image."""


def to_examples(block: ImageBlock) -> Iterator[tf.train.Example]:
    """Yields one tf.Example an image.

    Features: `image` bytes_list [1] of height * width unsigned bytes, row by row; `label`
    int64_list [1]; `example_id` bytes_list [1]: 32 hex characters of a BLAKE2b digest of the
    image's bytes and its label.
    """
    for image, label in zip(block.images, block.labels.tolist(), strict=True):
        pixels = image.tobytes()
        example_id = hashlib.blake2b(pixels + bytes([label]), digest_size=16).hexdigest()
        example = tf.train.Example()
        features = example.features.feature
        features[ImageData.feature].bytes_list.value.append(pixels)
        features[LABEL_FEATURE].int64_list.value.append(label)
        features[ID_FEATURE].bytes_list.value.append(example_id.encode())
        yield example


def to_drift_examples(block: ImageBlock) -> Iterator[tf.train.Example]:
    """Yields one tf.Example an image, of what is compared between spans.

    Features: `label` int64_list [1]; `pixels` float_list [n]: pixels on a regular grid of at most
    `GRID` x `GRID`.
    """
    _, height, width = block.images.shape
    grid = block.images[:, _spread(height)[:, None], _spread(width)]
    pixels = grid.reshape(len(grid), -1).astype(np.float32)
    for row, label in zip(pixels, block.labels.tolist(), strict=True):
        example = tf.train.Example()
        features = example.features.feature
        features[PIXELS_FEATURE].float_list.value.extend(row.tolist())
        features[LABEL_FEATURE].int64_list.value.append(label)
        yield example


def _spread(size: int) -> npt.NDArray[np.int64]:
    count = min(GRID, size)
    return ((np.arange(count) + 0.5) * size / count).astype(np.int64)
