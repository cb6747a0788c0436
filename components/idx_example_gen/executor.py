"""Pairs of IDX files -> splits of tf.Examples."""

from typing import Any

import apache_beam as beam
import tensorflow as tf
from google.protobuf import struct_pb2
from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor
from tfx.proto import example_gen_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.idx_example_gen.examples import to_examples
from components.idx_example_gen.idx_pair import find_pair, read_pair


class IdxExampleGenExecutor(BaseExampleGenExecutor):
    """Reads one pair of files a split; the input's splits are the output's."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:  # noqa: N802
        """Returns the PTransform from a file pattern to tf.Examples."""
        return _IdxToExamples


class _IdxToExamples(beam.PTransform):
    """File pattern -> tf.Examples."""

    def __init__(self, exec_properties: dict[str, Any], split_pattern: str) -> None:
        super().__init__()
        base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
        self._pattern = str(base).rstrip("/") + "/" + split_pattern
        settings = _settings(exec_properties)
        self._shape = (int(settings["height"]), int(settings["width"]))

    def expand(self, pipeline: beam.Pipeline) -> beam.pvalue.PCollection[tf.train.Example]:
        return (
            pipeline
            # Headers are judged here, before any worker starts.
            | "Pair" >> beam.Create([find_pair(self._pattern, self._shape)])
            | "ReadPair" >> beam.FlatMap(read_pair)
            | "ToExamples" >> beam.FlatMap(to_examples).with_output_types(tf.train.Example)
        )


def _settings(exec_properties: dict[str, Any]) -> dict[str, Any]:
    """Returns `height`, `width` and `fingerprint` as the factory packed them."""
    custom = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], custom)
    values = struct_pb2.Struct()
    custom.custom_config.Unpack(values)
    return dict(values)
