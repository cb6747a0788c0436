"""The component that ingests images in IDX files."""

from collections.abc import Collection

from google.protobuf import any_pb2, struct_pb2
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2, range_config_pb2

from components.idx_example_gen.executor import IdxExampleGenExecutor
from components.span_window.component import SpanWindowExampleGen
from components.span_window.window import window_settings
from data.patterns import splits_of
from data.window import ReadWindow
from pipeline_config import ImageData


def idx_example_gen(
    input_base: str,
    data: ImageData,
    *,
    fingerprint: str,
    range_config: range_config_pb2.RangeConfig | None = None,
    excluded_spans: Collection[int] = (),
    compare_spans: bool = False,
    files: ReadWindow | None = None,
) -> SpanWindowExampleGen:
    """Returns an ExampleGen for a pair of IDX files (images, labels) each for training and eval.

    Its output `examples` has the splits `train` and `eval`, and if asked for `newest` and
    `previous` (see `SpanWindowExecutor`), of tf.Examples with the features of
    `components.idx_example_gen.examples.to_examples`.

    Args:
        input_base: Folder or remote prefix that the patterns are relative to.
        data: Where the pairs are and how large an image is.
        fingerprint: Digest of this component's source, so that an edit invalidates TFX's cache.
        range_config: Which spans to take if the patterns have `{SPAN}`; the newest by default.
        excluded_spans: Spans that a window leaves out, except the newest.
        compare_spans: Whether to write the newest span and the one before as splits of their own.
        files: Exactly what to read; None to look for it when the ExampleGen runs.
    """
    settings = struct_pb2.Struct()
    settings.update({"height": data.height, "width": data.width, "fingerprint": fingerprint})
    settings.update(window_settings(excluded_spans, compare_spans, files))
    packed = any_pb2.Any()
    packed.Pack(settings)
    splits = [
        example_gen_pb2.Input.Split(name=name, pattern=pattern)
        for name, pattern in splits_of(data).items()
    ]
    return SpanWindowExampleGen(
        input_base=input_base,
        input_config=example_gen_pb2.Input(splits=splits),
        custom_config=example_gen_pb2.CustomConfig(custom_config=packed),
        range_config=range_config,
        custom_executor_spec=executor_spec.BeamExecutorSpec(IdxExampleGenExecutor),
    )
