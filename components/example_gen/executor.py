"""Executor of an ExampleGen that reads a window of spans."""

import abc
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tfx.components.example_gen import utils
from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor
from tfx.components.example_gen.write_split import (
    DEFAULT_TF_RECORD_FILE_NAME,
    MaybeSerialize,
    to_file_format_str,
)
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.types.artifact import Artifact

from components.example_gen.input_files import (
    WINDOW_PROPERTY,
    data_settings,
    full_paths,
    paths_to_read,
    resolve_window,
)
from data.splits import is_held_out
from pipeline_config import CALIBRATION_SPLIT, ID_FEATURE, SPLITS

_MOST_NOTICES = 5

Artifacts = dict[str, list[Artifact]]

NOTICES_PROPERTY = "notices"
"""Custom property of the examples: what a reader of the run must not miss of the files, by line."""

NOTICES_FILE = "notices_file"
"""Key of the execution's properties: where workers write these lines, if there are any."""


def write_notices(lines: Sequence[str], path: str) -> None:
    """Writes what a person should know of the files that were read, the first few lines of it."""
    if not lines:
        return
    shown = sorted(lines)[:_MOST_NOTICES]
    if more := len(lines) - len(shown):
        shown.append(f"and so of {more} more files")
    fileio.makedirs(path.rpartition("/")[0])
    with fileio.open(path, "w") as file:
        file.write("\n".join(shown))


class SpanWindowExecutor(BaseExampleGenExecutor, abc.ABC):
    """Writes the window's examples, and beside them what drift is measured on.

    The splits `newest` and `previous` hold all examples of these two spans, or what is to be
    compared of them. Statistics come by split, so TFDV can compare them, whatever the window and
    whatever was run before.

    A format is a subclass with two readers, each a PTransform from a Beam pipeline to tf.Examples.
    """

    @abc.abstractmethod
    def read_window(
        self, exec_properties: dict[str, Any], pattern: str, spans: list[list[str]]
    ) -> beam.PTransform:
        """Reads an input split.

        Args:
            exec_properties: The ExampleGen's.
            pattern: The split's file pattern, a full path.
            spans: The files to read, a list a span.
        """

    @abc.abstractmethod
    def read_span(self, exec_properties: dict[str, Any], paths: list[str]) -> beam.PTransform:
        """Reads what is compared of one span's input split."""

    def GetInputSourceToExamplePTransform(self) -> Any:  # noqa: N802 - TFX's name.
        """Returns a function from execution properties and a pattern to a PTransform."""
        return self._read_input_split

    def Do(  # noqa: N802 - TFX's name.
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes the splits of `examples`.

        Raises:
            UserInputError: No file matches, or a file's content is wrong.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        window = resolve_window(exec_properties)
        notices = f"{examples.uri}/notices.txt"
        resolved = exec_properties | {
            WINDOW_PROPERTY: window.to_json(),
            NOTICES_FILE: notices,
        }
        with self._make_beam_pipeline() as pipeline:
            splits = self._hold_out(self.GenerateExamplesByBeam(pipeline, resolved), resolved)
            for name, span in window.drift_spans.items():
                # Images that are split by their content are the files of both splits.
                by_files = {names: split for split, names in span.files.items()}
                parts = [
                    pipeline
                    | f"Read[{name}, {split}]"
                    >> self.read_span(resolved, full_paths(resolved, names))
                    for names, split in by_files.items()
                ]
                splits[name] = parts | f"Flatten[{name}]" >> beam.Flatten()
            examples.split_names = artifact_utils.encode_split_names(list(splits))
            for name, split_examples in splits.items():
                uri = artifact_utils.get_split_uri([examples], name)
                _ = split_examples | f"WriteSplit[{name}]" >> WriteExamples(uri)
        payload_format = exec_properties[standard_component_specs.OUTPUT_DATA_FORMAT_KEY]
        examples_utils.set_payload_format(examples, payload_format)
        examples_utils.set_file_format(
            examples, to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP)
        )
        if fileio.exists(notices):
            with fileio.open(notices) as file:
                examples.set_string_custom_property(NOTICES_PROPERTY, file.read())
        if window.has_spans:
            examples.set_string_custom_property(WINDOW_PROPERTY, window.to_json())
            examples.set_int_custom_property(utils.SPAN_PROPERTY_NAME, window.newest.number)

    def _hold_out(
        self, splits: dict[str, beam.PCollection], exec_properties: dict[str, Any]
    ) -> dict[str, beam.PCollection]:
        """Draws the calibration split from that to train on, unless the reader has made it."""
        data = data_settings(exec_properties)
        if splits.keys() >= set(data.splits):
            return splits
        train, held_out = splits[SPLITS[0]] | "HoldOut" >> beam.Partition(
            _is_held_out, 2, data.held_out
        )
        drawn = splits | {SPLITS[0]: train, CALIBRATION_SPLIT: held_out}
        return {name: drawn[name] for name in data.splits}

    def _read_input_split(self, exec_properties: dict[str, Any], pattern: str) -> beam.PTransform:
        (place,) = full_paths(exec_properties, [pattern])
        return self.read_window(exec_properties, place, paths_to_read(exec_properties, pattern))


def _is_held_out(example: tf.train.Example, parts: int, share: float) -> int:
    (example_id,) = example.features.feature[ID_FEATURE].bytes_list.value
    return int(is_held_out(example_id.decode(), share)) % parts


class WriteExamples(beam.PTransform):
    """tf.Examples -> gzipped TFRecords, one file a bundle.

    TFX's `WriteSplit` sends every example through a shuffle first, which a runner in memory holds
    as a whole. Nothing here needs the order to be random: the Trainer has its own. Workers share
    the work by input file.

    Args:
        directory: Of one split.
    """

    def __init__(self, directory: str) -> None:
        super().__init__()
        self._prefix = f"{directory}/{DEFAULT_TF_RECORD_FILE_NAME}"

    def expand(self, examples: beam.PCollection[tf.train.Example]) -> beam.PCollection[str]:
        """Returns the paths of what was written."""
        return (
            examples
            | "Serialize" >> beam.ParDo(MaybeSerialize())
            | "Write" >> beam.io.WriteToTFRecord(self._prefix, file_name_suffix=".gz")
        )
