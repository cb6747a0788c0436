"""Pairs of IDX files -> splits of tf.Examples."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.example_gen.executor import SpanWindowExecutor
from components.example_gen.input_files import data_settings
from data.formats.idx_file import find_pair, read_images
from data.formats.rows import Block
from pipeline_config import ID_FEATURE, LABEL_FEATURE, PIXELS_FEATURE, ImageData

GRID = 8
"""Pixels that are compared by row and by column of an image."""


class IdxExampleGenExecutor(SpanWindowExecutor):
    """Reads one pair of files a split; the input's splits are the output's."""

    def read_window(
        self, exec_properties: dict[str, Any], pattern: str, spans: list[list[str]]
    ) -> beam.PTransform:
        """Reads a pair of files a span."""
        return _read_pairs(exec_properties, spans, to_examples)

    def read_span(self, exec_properties: dict[str, Any], paths: list[str]) -> beam.PTransform:
        """Reads what is compared of a span."""
        return _read_pairs(exec_properties, [paths], to_drift_examples)


def to_examples(block: Block) -> Iterator[tf.train.Example]:
    """Yields one tf.Example an image.

    Features: `image` bytes_list [1] of height * width unsigned bytes, row by row; `label`
    int64_list [1]; `example_id` bytes_list [1]: 32 hex characters of a BLAKE2b digest of the
    image's bytes and its label.
    """
    for image, label in _images(block):
        pixels = image.tobytes()
        example_id = hashlib.blake2b(pixels + bytes([label]), digest_size=16).hexdigest()
        example = tf.train.Example()
        features = example.features.feature
        features[ImageData.feature].bytes_list.value.append(pixels)
        features[LABEL_FEATURE].int64_list.value.append(label)
        features[ID_FEATURE].bytes_list.value.append(example_id.encode())
        yield example


def to_drift_examples(block: Block) -> Iterator[tf.train.Example]:
    """Yields one tf.Example an image, of what is compared between spans.

    Features: `label` int64_list [1]; `pixels` float_list [n]: pixels on a regular grid of at most
    `GRID` x `GRID`.
    """
    for image, label in _images(block):
        height, width = image.shape
        pixels = image[_spread(height)[:, None], _spread(width)]
        example = tf.train.Example()
        features = example.features.feature
        features[PIXELS_FEATURE].float_list.value.extend(pixels.ravel().tolist())
        features[LABEL_FEATURE].int64_list.value.append(label)
        yield example


@beam.ptransform_fn
def _read_pairs(
    pipeline: beam.Pipeline,
    exec_properties: dict[str, Any],
    pairs: list[list[str]],
    encode: Callable[[Block], Iterator[tf.train.Example]],
) -> beam.PCollection[tf.train.Example]:
    data = data_settings(exec_properties)
    assert isinstance(data, ImageData), "the component chooses the executor by the kind of data"
    shape = (data.height, data.width)
    return (
        pipeline
        # Headers are judged here, before any worker starts.
        | "Pairs" >> beam.Create([find_pair(paths, shape) for paths in pairs])
        | "ReadPair" >> beam.FlatMapTuple(read_images)
        | "ToExamples" >> beam.FlatMap(encode).with_output_types(tf.train.Example)
    )


def _images(block: Block) -> Iterator[tuple[npt.NDArray[np.uint8], int]]:
    return zip(block.rows.values, block.rows.labels.tolist(), strict=True)


def _spread(size: int) -> npt.NDArray[np.int64]:
    count = min(GRID, size)
    return ((np.arange(count) + 0.5) * size / count).astype(np.int64)
