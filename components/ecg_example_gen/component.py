"""The component that ingests signal CSV files."""

from google.protobuf import any_pb2, struct_pb2
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2, range_config_pb2

from components.ecg_example_gen.executor import EcgExampleGenExecutor
from pipeline_config import ID_FEATURE, SignalData


def ecg_example_gen(
    input_base: str,
    data: SignalData,
    *,
    fingerprint: str,
    range_config: range_config_pb2.RangeConfig | None = None,
) -> FileBasedExampleGen:
    """Returns an ExampleGen for CSV rows of `data.length` samples and a label.

    Its output `examples` has the splits `train` and `eval`, of tf.Examples with the features of
    `components.ecg_example_gen.examples.to_examples`.

    Args:
        input_base: Folder or remote prefix that `data.pattern` is relative to.
        data: What the files hold and how to split them.
        fingerprint: Digest of this component's source, so that an edit invalidates TFX's cache.
        range_config: Which spans to take where the pattern has `{SPAN}`; the newest by default.
    """
    settings = struct_pb2.Struct()
    settings.update({"length": data.length, "split": data.split, "fingerprint": fingerprint})
    packed = any_pb2.Any()
    packed.Pack(settings)
    splits = [
        example_gen_pb2.SplitConfig.Split(name="train", hash_buckets=4),
        example_gen_pb2.SplitConfig.Split(name="eval", hash_buckets=1),
    ]
    return FileBasedExampleGen(
        input_base=input_base,
        input_config=example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name="all", pattern=data.pattern)]
        ),
        output_config=example_gen_pb2.Output(
            split_config=example_gen_pb2.SplitConfig(
                splits=splits, partition_feature_name=ID_FEATURE
            )
        ),
        custom_config=example_gen_pb2.CustomConfig(custom_config=packed),
        range_config=range_config,
        custom_executor_spec=executor_spec.BeamExecutorSpec(EcgExampleGenExecutor),
    )
