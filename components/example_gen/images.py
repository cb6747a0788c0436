"""Files of images -> splits of tf.Examples."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.example_gen.executor import SpanWindowExecutor
from components.example_gen.input_files import data_settings, full_paths, resolve_window
from data.formats.image_file import class_names_of, find_images_to_train, holds_both_splits
from data.formats.image_npz import ImageSplit
from data.formats.picture_file import class_labels
from data.formats.rows import Block
from data.splits import is_eval_image
from pipeline_config import (
    CLASS_FEATURE,
    ID_FEATURE,
    LABEL_FEATURE,
    PIXELS_FEATURE,
    SPLITS,
    ImageData,
)

GRID = 8
"""Pixels that are compared by row and by column of an image."""


class ImageExampleGenExecutor(SpanWindowExecutor):
    """Reads the images of each split; the input's splits are the output's.

    If one set of files is given for both splits, and does not hold the two apart, images are split
    by their content.
    """

    def read_window(
        self, exec_properties: dict[str, Any], pattern: str, spans: list[list[str]]
    ) -> beam.PTransform:
        """Reads a split's files span by span."""
        return _read(exec_properties, spans, to_examples)

    def read_span(self, exec_properties: dict[str, Any], paths: list[str]) -> beam.PTransform:
        """Reads what is compared of a span."""
        return _read(exec_properties, [paths], to_drift_examples)

    def GenerateExamplesByBeam(  # noqa: N802 - TFX's name.
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.PCollection[tf.train.Example]]:
        """Returns the tf.Examples of each split.

        Raises (some of it when the Beam pipeline runs):
            UserInputError: No file matches, or a file's content is wrong.
        """
        window = resolve_window(exec_properties)
        if len(set(window.newest.files.values())) > 1:
            return dict(super().GenerateExamplesByBeam(pipeline, exec_properties))
        spans = [full_paths(exec_properties, span.files["train"]) for span in window.spans]
        if holds_both_splits([path for paths in spans for path in paths]):
            return {
                split: pipeline
                | f"Read[{split}]" >> _read(exec_properties, spans, to_examples, split)
                for split in SPLITS
            }
        examples = pipeline | "ReadAll" >> _read(exec_properties, spans, to_examples)
        parts = examples | "SplitByContent" >> beam.Partition(_split_of, len(SPLITS))
        return dict(zip(SPLITS, parts, strict=True))


def to_examples(block: Block) -> Iterator[tf.train.Example]:
    """Yields one tf.Example an image.

    Features: `image` bytes_list [1] of height * width unsigned bytes, row by row; `label`
    int64_list [1]; `example_id` bytes_list [1]: 32 hex characters of a BLAKE2b digest of the
    image's bytes and its label; `class` bytes_list [1], the class's name, else its label.
    """
    names = class_names_of(block.rows).tolist()
    for (image, label), name in zip(_images(block), names, strict=True):
        pixels = image.tobytes()
        content = pixels + label.to_bytes(max(1, (label.bit_length() + 7) // 8), "little")
        example_id = hashlib.blake2b(content, digest_size=16).hexdigest()
        example = tf.train.Example()
        features = example.features.feature
        features[ImageData.feature].bytes_list.value.append(pixels)
        features[LABEL_FEATURE].int64_list.value.append(label)
        features[ID_FEATURE].bytes_list.value.append(example_id.encode())
        features[CLASS_FEATURE].bytes_list.value.append(name.encode())
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
def _read(
    pipeline: beam.Pipeline,
    exec_properties: dict[str, Any],
    spans: list[list[str]],
    encode: Callable[[Block], Iterator[tf.train.Example]],
    split: ImageSplit | None = None,
) -> beam.PCollection[tf.train.Example]:
    data = data_settings(exec_properties)
    assert isinstance(data, ImageData), "the component chooses the executor by the kind of data"
    # Of all spans, so that a class has the same label in each.
    read = [name for span in resolve_window(exec_properties).all_spans for name in span.names]
    labels = class_labels(read)
    # What files say of themselves is judged here, before any worker starts.
    readers = [
        reader for paths in spans for reader in find_images_to_train(paths, data, labels, split)
    ]
    parts = pipeline | "Parts" >> beam.Create(readers)
    if len(readers) > len(spans):
        # Without this, Beam fuses the list with its readers and one worker reads every file.
        parts |= "SpreadParts" >> beam.Reshuffle()
    return (
        parts
        | "ReadImages" >> beam.FlatMap(lambda read_part: read_part())
        | "ToExamples" >> beam.FlatMap(encode).with_output_types(tf.train.Example)
    )


def _split_of(example: tf.train.Example, splits: int) -> int:
    """Returns 0 for four of five images and 1 for the fifth."""
    (example_id,) = example.features.feature[ID_FEATURE].bytes_list.value
    return int(is_eval_image(example_id.decode())) % splits


def _images(block: Block) -> Iterator[tuple[npt.NDArray[np.uint8], int]]:
    return zip(block.rows.values, block.rows.labels.tolist(), strict=True)


def _spread(size: int) -> npt.NDArray[np.int64]:
    count = min(GRID, size)
    return ((np.arange(count) + 0.5) * size / count).astype(np.int64)
