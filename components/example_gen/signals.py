"""Signal CSV files -> splits of tf.Examples."""

import hashlib
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf

from components.example_gen.executor import SpanWindowExecutor
from components.example_gen.input_files import (
    data_settings,
    full_paths,
    input_splits,
    paths_to_read,
)
from components.example_gen.tutorial_split import tutorial_split
from data.formats.rows import Block, accepted
from data.formats.signal_file import read_signals
from data.spans.files import refuse_compressed_twins
from data.variety import joint_variety, require_variety, variety_of
from pipeline_config import CLASS_FEATURE, ID_FEATURE, LABEL_FEATURE, SignalData


class EcgExampleGenExecutor(SpanWindowExecutor):
    """Reads rows of samples and a label, and splits them by content or as the tutorial does."""

    def read_window(
        self, exec_properties: dict[str, Any], pattern: str, spans: list[list[str]]
    ) -> beam.PTransform:
        """Reads rows that together are worth learning from."""
        blocks = _read_varied_blocks(exec_properties, pattern, spans)
        return blocks | "ToExamples" >> _encode()

    def read_span(self, exec_properties: dict[str, Any], paths: list[str]) -> beam.PTransform:
        """Reads a span, which may hold one class alone."""
        return _read_blocks(exec_properties, paths) | "ToExamples" >> _encode()

    def GenerateExamplesByBeam(  # noqa: N802
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.PCollection[tf.train.Example]]:
        """Returns the tf.Examples of each split.

        Raises (some of it when the Beam pipeline runs):
            UserInputError: No file matches, a file's content is wrong, or all rows are of one
                class.
        """
        if _signal_data(exec_properties).split != "tutorial":
            return dict(super().GenerateExamplesByBeam(pipeline, exec_properties))
        (pattern,) = input_splits(exec_properties).values()
        (place,) = full_paths(exec_properties, [pattern])
        spans = paths_to_read(exec_properties, pattern)
        blocks = pipeline | "ReadRows" >> _read_varied_blocks(exec_properties, place, spans)
        parts = tutorial_split(blocks)
        return {name: part | f"ToExamples[{name}]" >> _encode() for name, part in parts.items()}


def to_examples(block: Block) -> Iterator[tf.train.Example]:
    """Yields one tf.Example a row.

    Features: `signal` float_list [length x channels], sample by sample, `label` int64_list [1],
    `class` bytes_list [1], `example_id` bytes_list [1]: 32 hex characters of a BLAKE2b digest of
    the row's little-endian float32 samples and label.
    """
    rows = block.rows
    contents = rows.values.astype("<f4", copy=False)
    classes = [""] * len(rows) if rows.classes is None else rows.classes.tolist()
    for signal, label, name in zip(contents, rows.labels.tolist(), classes, strict=True):
        content = signal.tobytes() + bytes([label & 0xFF])
        example_id = hashlib.blake2b(content, digest_size=16).hexdigest()
        example = tf.train.Example()
        features = example.features.feature
        features[SignalData.feature].float_list.value.extend(signal.ravel().tolist())
        features[LABEL_FEATURE].int64_list.value.append(label)
        features[CLASS_FEATURE].bytes_list.value.append(name.encode())
        features[ID_FEATURE].bytes_list.value.append(example_id.encode())
        yield example


def _signal_data(exec_properties: dict[str, Any]) -> SignalData:
    data = data_settings(exec_properties)
    assert isinstance(data, SignalData), "the component chooses the executor by the kind of data"
    return data


def _encode() -> beam.PTransform:
    return beam.FlatMap(to_examples).with_output_types(tf.train.Example)


@beam.ptransform_fn
def _read_varied_blocks(
    pipeline: beam.Pipeline, exec_properties: dict[str, Any], pattern: str, spans: list[list[str]]
) -> beam.PCollection[Block]:
    """Reads blocks of rows; once all are read, raises if nothing can be learnt from them."""
    for paths in spans:
        refuse_compressed_twins(paths)
    paths = [path for paths in spans for path in paths]
    blocks = pipeline | "ReadFiles" >> _read_blocks(exec_properties, paths)
    _ = (
        blocks
        | "VarietyOfBlock" >> beam.Map(lambda block: variety_of(block.rows))
        | "Variety" >> beam.CombineGlobally(joint_variety).without_defaults()
        | "RequireVariety" >> beam.Map(require_variety, _signal_data(exec_properties), pattern)
    )
    return blocks


@beam.ptransform_fn
def _read_blocks(
    pipeline: beam.Pipeline, exec_properties: dict[str, Any], paths: list[str]
) -> beam.PCollection[Block]:
    """Reads blocks of rows side by side, file by file."""
    data = _signal_data(exec_properties)
    return (
        pipeline
        | "Files" >> beam.Create(paths)
        # Without this, Beam fuses the list with its readers and one worker reads every file.
        | "SpreadFiles" >> beam.Reshuffle()
        | "ReadRowBlocks" >> beam.FlatMap(lambda path: accepted(read_signals(path, data)))
    )
