"""The ExampleGen of every pipeline: signals or images, whatever the format of their files."""

from typing import Any

from google.protobuf import any_pb2, struct_pb2
from tfx.components.example_gen import utils
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_gen.driver import FileBasedDriver
from tfx.dsl.components.base import executor_spec
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2, range_config_pb2

from components.example_gen.images import ImageExampleGenExecutor
from components.example_gen.input_files import HELD_OUT, WINDOW_PROPERTY, resolve_window
from components.example_gen.signals import EcgExampleGenExecutor
from data.spans.files import splits_of
from data.spans.names import has_spans
from data.spans.window import ReadWindow
from pipeline_config import ID_FEATURE, ImageData, SignalData, reading_settings


class SpanWindowDriver(FileBasedDriver):
    """Resolves the files before the cache is asked, so that a new one is a new input.

    TFX's own driver takes whatever its glob matches: hidden files and folders too, and it reads
    marks such as `[` in the folder's own name as part of the glob.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Adds the files to read, the newest span with its version, and a fingerprint."""
        window = resolve_window(exec_properties)
        exec_properties[WINDOW_PROPERTY] = window.to_json()
        exec_properties[utils.SPAN_PROPERTY_NAME] = window.newest.number
        exec_properties[utils.VERSION_PROPERTY_NAME] = window.newest.version
        exec_properties[utils.FINGERPRINT_PROPERTY_NAME] = window.fingerprint
        return exec_properties


class SpanWindowExampleGen(FileBasedExampleGen):
    """TFX's FileBasedExampleGen, whose `range_config` may name more than one span.

    The window is one Examples artifact with the number of its newest span. TFX's other way, one
    artifact a span and a Resolver with `SpanRangeStrategy` over those of earlier runs, sees only
    what this pipeline has ingested, takes a span twice that was ingested twice, takes those that
    the data gate refused, and StatisticsGen takes no more than one artifact.
    """

    DRIVER_CLASS = SpanWindowDriver


def example_gen(
    input_base: str,
    data: SignalData | ImageData,
    *,
    fingerprint: str,
    compare_spans: bool = False,
    files: ReadWindow | None = None,
) -> SpanWindowExampleGen:
    """Returns an ExampleGen for CSV rows of samples and a label, or for images and their labels.

    Its output `examples` has the splits `data.splits`, and if asked for `newest` and `previous`
    (see `SpanWindowExecutor`), of tf.Examples with the features of `signals.to_examples` or
    `images.to_examples`.

    Args:
        input_base: Folder or remote prefix that the patterns of `data` are relative to.
        data: What the files hold and how to split them.
        fingerprint: Digest of this component's source, so that an edit invalidates TFX's cache.
        compare_spans: Whether to write the newest span and the one before as splits of their own.
        files: Exactly what to read; None to look for the newest `data.window` spans, or for all
            files if no pattern names spans, when the ExampleGen runs.
    """
    signals = isinstance(data, SignalData)
    by_content = isinstance(data, SignalData) and data.split_by == "hash"
    settings = struct_pb2.Struct()
    settings.update(
        {
            # A Struct has no whole numbers, so the settings travel as one text.
            "data": reading_settings(data),
            "fingerprint": fingerprint,
            "compare_spans": compare_spans,
        }
    )
    if data.held_out:
        settings[HELD_OUT] = data.held_out
    if files is not None:
        settings["files"] = files.to_json()
    packed = any_pb2.Any()
    packed.Pack(settings)
    splits = splits_of(data)
    return SpanWindowExampleGen(
        input_base=input_base,
        input_config=example_gen_pb2.Input(
            splits=[
                example_gen_pb2.Input.Split(name=name, pattern=pattern)
                for name, pattern in splits.items()
            ]
        ),
        output_config=_split_by_content() if by_content else None,
        custom_config=example_gen_pb2.CustomConfig(custom_config=packed),
        range_config=(
            range_config_pb2.RangeConfig(
                rolling_range=range_config_pb2.RollingRange(num_spans=data.window)
            )
            if files is None and any(map(has_spans, splits.values()))
            else None
        ),
        custom_executor_spec=executor_spec.BeamExecutorSpec(
            EcgExampleGenExecutor if signals else ImageExampleGenExecutor
        ),
    )


def _split_by_content() -> example_gen_pb2.Output:
    splits = [
        example_gen_pb2.SplitConfig.Split(name="train", hash_buckets=4),
        example_gen_pb2.SplitConfig.Split(name="eval", hash_buckets=1),
    ]
    return example_gen_pb2.Output(
        split_config=example_gen_pb2.SplitConfig(splits=splits, partition_feature_name=ID_FEATURE)
    )
