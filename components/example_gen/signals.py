"""Files of signals -> splits of tf.Examples."""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf

from components.example_gen.executor import (
    NOTICES_FILE,
    SpanWindowExecutor,
    write_notices,
)
from components.example_gen.input_files import (
    data_settings,
    full_paths,
    input_base,
    input_splits,
    paths_to_read,
)
from components.example_gen.series import read_windows, split_series
from components.example_gen.tutorial_split import tutorial_split
from data.formats.example_file import left_out
from data.formats.rows import Block, accepted
from data.formats.signal_file import read_signals
from data.spans.files import refuse_compressed_twins
from data.splits import example_id
from data.variety import joint_variety, require_variety, variety_of
from pipeline_config import CLASS_FEATURE, ID_FEATURE, LABEL_FEATURE, SignalData


class EcgExampleGenExecutor(SpanWindowExecutor):
    """Reads rows, or cuts series into windows, and splits them; see `SignalData.split_by`."""

    def read_window(
        self, exec_properties: dict[str, Any], pattern: str, spans: list[list[str]]
    ) -> beam.PTransform:
        """Reads rows that together are worth learning from."""
        blocks = _read_varied_blocks(exec_properties, pattern, spans)
        return blocks | "ToExamples" >> _encode(exec_properties)

    def read_span(self, exec_properties: dict[str, Any], paths: list[str]) -> beam.PTransform:
        """Reads a span, which may hold one class alone."""
        return _read_blocks(exec_properties, paths) | "ToExamples" >> _encode(exec_properties)

    def GenerateExamplesByBeam(  # noqa: N802
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.PCollection[tf.train.Example]]:
        """Returns the tf.Examples of each split.

        Raises (some of it when the Beam pipeline runs):
            UserInputError: No file matches, a file's content is wrong, or all rows are of one
                class.
        """
        data = _signal_data(exec_properties)
        if data.split_by == "hash":
            return dict(super().GenerateExamplesByBeam(pipeline, exec_properties))
        (pattern,) = input_splits(exec_properties).values()
        (place,) = full_paths(exec_properties, [pattern])
        spans = paths_to_read(exec_properties, pattern)
        blocks = pipeline | "ReadRows" >> _read_varied_blocks(exec_properties, place, spans)
        if data.series:
            paths = [path for paths in spans for path in paths]
            parts = split_series(blocks, paths, data, input_base(exec_properties))
        else:
            parts = tutorial_split(blocks)
        return {
            name: part | f"ToExamples[{name}]" >> _encode(exec_properties)
            for name, part in parts.items()
        }


def to_examples(block: Block, base: str | None = None) -> Iterator[tf.train.Example]:
    """Yields one tf.Example a row.

    Features: `signal` float_list [length x channels], sample by sample, `label` int64_list [1],
    `class` bytes_list [1], `example_id` bytes_list [1]: see `data.splits.example_id`, of the
    little-endian float32 samples.

    Args:
        block: Rows, or windows of a series.
        base: With windows, the folder that the file's name counts from: the id is also of the name
            and of the window's first sample, so that windows with the same content, such as those
            of a still machine, have noise of their own.
    """
    rows = block.rows
    contents = rows.values.astype("<f4", copy=False)
    classes = [""] * len(rows) if rows.classes is None else rows.classes.tolist()
    places = [b""] * len(rows)
    if base is not None:
        file = block.path.removeprefix(f"{base}/")
        places = [f"{file} {number}".encode() for number in rows.numbers.tolist()]
    of_rows = zip(contents, rows.labels.tolist(), classes, places, strict=True)
    for signal, label, name, place in of_rows:
        example = tf.train.Example()
        features = example.features.feature
        features[SignalData.feature].float_list.value.extend(signal.ravel().tolist())
        features[LABEL_FEATURE].int64_list.value.append(label)
        features[CLASS_FEATURE].bytes_list.value.append(name.encode())
        features[ID_FEATURE].bytes_list.value.append(
            example_id(signal.tobytes(), label, place).encode()
        )
        yield example


def _signal_data(exec_properties: dict[str, Any]) -> SignalData:
    data = data_settings(exec_properties)
    assert isinstance(data, SignalData), "the component chooses the executor by the kind of data"
    return data


def _encode(exec_properties: dict[str, Any]) -> beam.PTransform:
    is_series = _signal_data(exec_properties).series
    base = input_base(exec_properties) if is_series else None
    return beam.FlatMap(to_examples, base).with_output_types(tf.train.Example)


@beam.ptransform_fn
def _read_varied_blocks(
    pipeline: beam.Pipeline, exec_properties: dict[str, Any], pattern: str, spans: list[list[str]]
) -> beam.PCollection[Block]:
    """Reads blocks of rows; once all are read, raises if nothing can be learnt from them."""
    for paths in spans:
        refuse_compressed_twins(paths)
    paths = [path for paths in spans for path in paths]
    notices = str(exec_properties.get(NOTICES_FILE, ""))
    blocks = pipeline | "ReadFiles" >> _read_blocks(exec_properties, paths, notices)
    _ = (
        blocks
        | "VarietyOfBlock" >> beam.Map(lambda block: variety_of(block.rows))
        | "Variety" >> beam.CombineGlobally(joint_variety).without_defaults()
        | "RequireVariety" >> beam.Map(require_variety, _signal_data(exec_properties), pattern)
    )
    return blocks


@beam.ptransform_fn
def _read_blocks(
    pipeline: beam.Pipeline, exec_properties: dict[str, Any], paths: list[str], notices: str = ""
) -> beam.PCollection[Block]:
    """Reads blocks of rows side by side, file by file."""
    data = _signal_data(exec_properties)
    # Without the shuffle, Beam fuses the list with its readers and one worker reads every file.
    files = pipeline | "Files" >> beam.Create(paths) | "SpreadFiles" >> beam.Reshuffle()
    if data.series:
        return files | "ReadWindows" >> read_windows(data, notices)
    if notices:
        _ = (
            files
            | "LeftOut" >> beam.Map(left_out, data)
            | "SomeLeftOut" >> beam.Filter(bool)
            | "AllLeftOut" >> beam.combiners.ToList()
            | "WriteNotices" >> beam.Map(write_notices, notices)
        )
    return files | "ReadRowBlocks" >> beam.FlatMap(lambda path: accepted(read_signals(path, data)))
