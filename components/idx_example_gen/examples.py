"""Images as tf.Examples."""

import hashlib
from collections.abc import Iterator

import tensorflow as tf

from components.idx_example_gen.idx_pair import ImageBlock
from pipeline_config import ID_FEATURE, LABEL_FEATURE, ImageData


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
