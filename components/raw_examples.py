"""Raw tf.Examples, as ExampleGen writes them, read back as arrays.

An example holds its raw feature as floats (of a signal of several channels sample by sample) or as
the bytes of a uint8 image, its label, and of a signal its class's own name.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.utils import io_utils

from pipeline_config import (
    CLASS_FEATURE,
    ID_FEATURE,
    LABEL_FEATURE,
    NEWEST_SPLIT,
    PREVIOUS_SPLIT,
    ImageData,
)


def splits_of(artifact: Artifact) -> list[str]:
    """Returns the splits of examples or statistics that a model is made of and judged by.

    Those that drift is measured on are left out.
    """
    names = artifact_utils.decode_split_names(artifact.split_names)
    return [name for name in names if name not in (NEWEST_SPLIT, PREVIOUS_SPLIT)]


def split_files(examples: Sequence[Artifact], split: str) -> list[str]:
    """Returns the TFRecord files of a split, sorted by path."""
    return sorted(
        path
        for uri in artifact_utils.get_split_uris(list(examples), split)
        for path in fileio.glob(io_utils.all_files_pattern(uri))
    )


def records(files: Sequence[str]) -> tf.data.Dataset:
    """Returns the serialized tf.Examples of files, in order.

    Args:
        files: TFRecord files, either all gzipped and named `*.gz`, or none.
    """
    gzipped = bool(files) and files[0].endswith(".gz")
    return tf.data.TFRecordDataset(list(files), "GZIP" if gzipped else "")


def first_records(examples: Sequence[Artifact], split: str, count: int) -> list[bytes]:
    """Returns the first `count` serialized tf.Examples of a split, or all if it holds fewer."""
    return list(records(split_files(examples, split)).take(count).as_numpy_iterator())


def raw_values(record: bytes, feature: str) -> np.ndarray:
    """Returns one example's raw feature: float32 [size], empty if the example has none.

    Args:
        record: Serialized tf.Example.
        feature: Name of the feature.
    """
    found = tf.train.Example.FromString(record).features.feature[feature]
    if found.WhichOneof("kind") == "bytes_list":
        return np.frombuffer(b"".join(found.bytes_list.value), np.uint8).astype(np.float32)
    return np.array(found.float_list.value, np.float32)


class ParsedExamples(NamedTuple):
    """Tensors of many examples.

    Attributes:
        values: float32 [N, *shape].
        label: int16 [N].
        class_name: string [N]; empty if an example has no label.
        example_id: string [N]; empty if an example has none.
    """

    values: tf.Tensor
    label: tf.Tensor
    class_name: tf.Tensor
    example_id: tf.Tensor


def parse(examples: tf.Tensor, feature: str, shape: tuple[int, ...]) -> ParsedExamples:
    """Returns many examples, as part of a TensorFlow graph.

    Args:
        examples: string [N], serialized tf.Examples.
        feature: Name of the raw feature.
        shape: Of one example.
    """
    is_image = feature == ImageData.feature
    parsed = tf.io.parse_example(
        examples,
        {
            feature: tf.io.FixedLenFeature([], tf.string)
            if is_image
            else tf.io.FixedLenFeature(shape, tf.float32),
            LABEL_FEATURE: tf.io.FixedLenFeature([], tf.int64),
            CLASS_FEATURE: tf.io.FixedLenFeature([], tf.string, default_value=""),
            ID_FEATURE: tf.io.FixedLenFeature([], tf.string, default_value=""),
        },
    )
    values = parsed[feature]
    if is_image:
        pixels = tf.io.decode_raw(values, tf.uint8)
        values = tf.cast(tf.reshape(pixels, [-1, *shape]), tf.float32)
    label = tf.cast(parsed[LABEL_FEATURE], tf.int16)
    return ParsedExamples(values, label, parsed[CLASS_FEATURE], parsed[ID_FEATURE])
