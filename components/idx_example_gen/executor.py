"""Pairs of IDX files -> splits of tf.Examples."""

from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf
from google.protobuf import struct_pb2
from tfx.proto import example_gen_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.idx_example_gen.examples import to_drift_examples, to_examples
from components.span_window.executor import SpanWindowExecutor
from components.span_window.window import paths_to_read
from data.formats.idx_file import find_pair, read_images
from data.formats.rows import Block


class IdxExampleGenExecutor(SpanWindowExecutor):
    """Reads one pair of files a split; the input's splits are the output's."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:  # noqa: N802
        """Returns the PTransform from a file pattern to tf.Examples."""
        return _IdxToExamples

    def read_span(self, exec_properties: dict[str, Any], paths: list[str]) -> beam.PTransform:
        """Returns the PTransform that reads what is compared of a span."""
        return _ReadPairs(exec_properties, [paths], to_drift_examples)


class _IdxToExamples(beam.PTransform):
    """Input split's pattern -> tf.Examples."""

    def __init__(self, exec_properties: dict[str, Any], split_pattern: str) -> None:
        super().__init__()
        paths = paths_to_read(exec_properties, split_pattern)
        self._read = _ReadPairs(exec_properties, paths, to_examples)

    def expand(self, pipeline: beam.Pipeline) -> beam.pvalue.PCollection[tf.train.Example]:
        return pipeline | self._read


class _ReadPairs(beam.PTransform):
    """Paths of pairs of files -> tf.Examples."""

    def __init__(
        self,
        exec_properties: dict[str, Any],
        pairs: list[list[str]],
        encode: Callable[[Block], Iterator[tf.train.Example]],
    ) -> None:
        super().__init__()
        self._encode = encode
        self._pairs = pairs
        settings = _settings(exec_properties)
        self._shape = (int(settings["height"]), int(settings["width"]))

    def expand(self, pipeline: beam.Pipeline) -> beam.pvalue.PCollection[tf.train.Example]:
        return (
            pipeline
            # Headers are judged here, before any worker starts.
            | "Pairs" >> beam.Create([find_pair(paths, self._shape) for paths in self._pairs])
            | "ReadPair" >> beam.FlatMapTuple(read_images)
            | "ToExamples" >> beam.FlatMap(self._encode).with_output_types(tf.train.Example)
        )


def _settings(exec_properties: dict[str, Any]) -> dict[str, Any]:
    """Returns `height`, `width` and `fingerprint` as the factory packed them."""
    custom = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], custom)
    values = struct_pb2.Struct()
    custom.custom_config.Unpack(values)
    return dict(values)
