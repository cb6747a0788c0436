"""Rows of arrays as tf.Examples."""

import hashlib
from collections.abc import Iterator

import tensorflow as tf

from data.formats.rows import Block
from pipeline_config import ID_FEATURE, LABEL_FEATURE, SignalData


def to_examples(block: Block) -> Iterator[tf.train.Example]:
    """Yields one tf.Example a row.

    Features: `signal` float_list [length], `label` int64_list [1], `example_id` bytes_list [1]:
    32 hex characters of a BLAKE2b digest of the row's little-endian float32 samples and label.
    """
    rows = block.rows
    contents = rows.values.astype("<f4", copy=False)
    for signal, label in zip(contents, rows.labels.tolist(), strict=True):
        example_id = hashlib.blake2b(signal.tobytes() + bytes([label]), digest_size=16).hexdigest()
        example = tf.train.Example()
        features = example.features.feature
        features[SignalData.feature].float_list.value.extend(signal.tolist())
        features[LABEL_FEATURE].int64_list.value.append(label)
        features[ID_FEATURE].bytes_list.value.append(example_id.encode())
        yield example
