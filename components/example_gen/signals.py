"""Signal CSV files -> splits of tf.Examples."""

import hashlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import apache_beam as beam
import tensorflow as tf

from components.example_gen.executor import SpanWindowExecutor
from components.example_gen.input_files import (
    full_paths,
    input_splits,
    paths_to_read,
    settings,
    split_names,
)
from components.example_gen.tutorial_split import TutorialSplit
from components.example_gen.variety import RequireVariety
from data.formats.csv_file import read_signals
from data.formats.rows import Block, accepted
from pipeline_config import ID_FEATURE, LABEL_FEATURE, SignalData, UserInputError


class EcgExampleGenExecutor(SpanWindowExecutor):
    """Reads rows of samples and a label, and splits them by content or as the tutorial does."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:  # noqa: N802
        """Returns the PTransform from a file pattern to tf.Examples."""
        return _CsvToExamples

    def read_span(self, exec_properties: dict[str, Any], paths: list[str]) -> beam.PTransform:
        """Returns the PTransform that reads a span, which may hold one class alone."""
        return _SpanToExamples(exec_properties, paths)

    def GenerateExamplesByBeam(  # noqa: N802
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.pvalue.PCollection]:
        """Returns the PCollection of tf.Examples of each split.

        Raises (some of it when the Beam pipeline runs):
            UserInputError: No file matches, a file's content is wrong, or all rows are of one
                class.
        """
        if settings(exec_properties)["split"] == "tutorial":
            return self._tutorial_splits(pipeline, exec_properties)
        return super().GenerateExamplesByBeam(pipeline, exec_properties)

    def _tutorial_splits(
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.pvalue.PCollection]:
        (pattern,) = input_splits(exec_properties).values()
        parts = (
            pipeline
            | "ReadRows" >> _ReadRows(exec_properties, pattern)
            | "TutorialSplit" >> TutorialSplit()
        )
        return {
            name: part | f"ToExamples[{name}]" >> _ToExamples()
            for name, part in zip(split_names(exec_properties), parts, strict=True)
        }


class _CsvToExamples(beam.PTransform):
    """Input split's pattern -> tf.Examples."""

    def __init__(self, exec_properties: dict[str, Any], split_pattern: str) -> None:
        super().__init__()
        self._read_rows = _ReadRows(exec_properties, split_pattern)

    def expand(self, pipeline: beam.Pipeline) -> beam.pvalue.PCollection[tf.train.Example]:
        return pipeline | "ReadRows" >> self._read_rows | "ToExamples" >> _ToExamples()


class _SpanToExamples(beam.PTransform):
    """Paths of one span's files -> tf.Examples."""

    def __init__(self, exec_properties: dict[str, Any], paths: list[str]) -> None:
        super().__init__()
        self._read_files = _ReadFiles(exec_properties, paths)

    def expand(self, pipeline: beam.Pipeline) -> beam.pvalue.PCollection[tf.train.Example]:
        return pipeline | "ReadFiles" >> self._read_files | "ToExamples" >> _ToExamples()


class _ReadRows(beam.PTransform):
    """Input split's pattern -> blocks of rows, which together are worth learning from."""

    def __init__(self, exec_properties: dict[str, Any], split_pattern: str) -> None:
        super().__init__()
        spans = paths_to_read(exec_properties, split_pattern)
        for paths in spans:
            _refuse_compressed_twins(paths)
        (self._place,) = full_paths(exec_properties, [split_pattern])
        self._read_files = _ReadFiles(exec_properties, [path for paths in spans for path in paths])

    def expand(self, pipeline: beam.Pipeline) -> beam.pvalue.PCollection[Block]:
        blocks = pipeline | "ReadFiles" >> self._read_files
        _ = blocks | "RequireVariety" >> RequireVariety(self._place)
        return blocks


class _ReadFiles(beam.PTransform):
    """Paths -> blocks of rows, read side by side file by file."""

    def __init__(self, exec_properties: dict[str, Any], paths: list[str]) -> None:
        super().__init__()
        self._paths = paths
        self._length = int(settings(exec_properties)["length"])

    def expand(self, pipeline: beam.Pipeline) -> beam.pvalue.PCollection[Block]:
        return (
            pipeline
            | "Files" >> beam.Create(self._paths)
            # Without this, Beam fuses the list with its readers and one worker reads every file.
            | "SpreadFiles" >> beam.Reshuffle()
            | "ReadRowBlocks" >> beam.FlatMap(_read_blocks, self._length)
        )


def _read_blocks(path: str, length: int) -> Iterator[Block]:
    return accepted(read_signals(path, length))


class _ToExamples(beam.PTransform):
    """Blocks of rows -> tf.Examples."""

    def expand(
        self, blocks: beam.pvalue.PCollection[Block]
    ) -> beam.pvalue.PCollection[tf.train.Example]:
        return blocks | beam.FlatMap(to_examples).with_output_types(tf.train.Example)


def _refuse_compressed_twins(paths: list[str]) -> None:
    in_any_case = {path.lower(): path for path in paths}
    for path in paths:
        if twin := in_any_case.get(f"{path.lower()}.gz"):
            name = PurePosixPath(twin).name
            raise UserInputError(f"{path}: there is a {name} beside it: remove one of the two")


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
