"""Resolver, evaluator and pusher as nodes of one pipeline that runs again and again."""

import json
from pathlib import Path

import tensorflow as tf
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import artifact_utils
from tfx.types.channel import Channel
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, TransformGraph
from tfx.utils import path_utils
from tiny_models import FlatLineDetector, make_beats

from components.blessed_model_resolver import LatestBlessedModelBefore
from components.threshold_evaluator.component import ThresholdEvaluator
from components.threshold_evaluator.config import EvaluationConfig
from components.versioned_pusher.component import VersionedPusher
from pipeline.beam_profiles import beam_arguments
from pipeline_config import PusherConfig, ThresholdEvaluatorConfig, section_as_dict
from serving.push_directory.layout import list_versions
from tests.components.artifacts import example, write_shards


@component
def Ingest(  # noqa: N802
    examples: OutputArtifact[Examples], transform_graph: OutputArtifact[TransformGraph]
) -> None:
    Path(transform_graph.uri).mkdir(parents=True, exist_ok=True)
    examples.split_names = artifact_utils.encode_split_names(["train", "eval"])
    for seed, split in enumerate(("train", "eval")):
        signals, labels = make_beats(normal=40, anomalies=10, seed=seed)
        write_shards(examples, split, [map(example, signals, labels)])


@component
def Train(model: OutputArtifact[Model], level: Parameter[float]) -> None:  # noqa: N802
    FlatLineDetector(level, length=12).save(path_utils.serving_model_dir(model.uri))


def create_pipeline(home: Path, *, level: float) -> Pipeline:
    config = EvaluationConfig(
        feature="signal", shape=(12,), loss="mae", noise=0.0, gate=ThresholdEvaluatorConfig()
    )
    ingest = Ingest()
    train = Train(level=level)
    baseline = Resolver(
        strategy_class=LatestBlessedModelBefore,
        before=train.outputs["model"],
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id("BaselineResolver")
    evaluator = ThresholdEvaluator(
        examples=ingest.outputs["examples"],
        transform_graph=ingest.outputs["transform_graph"],
        model=train.outputs["model"],
        baseline_model=baseline.outputs["model"],
        config=config.to_json(),
        fingerprint="",
    )
    pusher = VersionedPusher(
        model=evaluator.outputs["judged_model"],
        model_blessing=evaluator.outputs["blessing"],
        examples=ingest.outputs["examples"],
        evaluation=evaluator.outputs["evaluation"],
        push_root=str(home / "serving"),
        config=json.dumps(section_as_dict(PusherConfig(model_name="detector"))),
        run=json.dumps({"pipeline": "beats"}),
        fingerprint="",
    )
    return Pipeline(
        pipeline_name="beats",
        pipeline_root=str(home / "artifacts"),
        components=[ingest, train, baseline, evaluator, pusher],
        enable_cache=True,
        metadata_connection_config=connection(home),
        beam_pipeline_args=beam_arguments("local"),
    )


def connection(home: Path) -> metadata_store_pb2.ConnectionConfig:
    return metadata.sqlite_metadata_connection_config(str(home / "mlmd.sqlite"))


def states(home: Path, node: str) -> list[str]:
    with metadata.Metadata(connection(home)) as handle:
        name = next(t for t in handle.store.get_execution_types() if t.name.endswith(node)).name
        executions = handle.store.get_executions_by_type(name)
    return [
        metadata_store_pb2.Execution.State.Name(execution.last_known_state)
        for execution in sorted(executions, key=lambda execution: execution.id)
    ]


def test_a_model_is_pushed_once_and_a_worse_one_never(tmp_path: Path) -> None:
    for level in (0.5, 0.5, 0.9):
        LocalDagRunner().run(create_pipeline(tmp_path, level=level))

    assert states(tmp_path, "ThresholdEvaluator") == ["COMPLETE", "CACHED", "COMPLETE"]
    assert states(tmp_path, "VersionedPusher") == ["COMPLETE", "CACHED", "COMPLETE"]
    (version,) = list_versions(tmp_path / "serving" / "detector")
    directory = tmp_path / "serving" / "detector" / str(version)
    manifest = json.loads((directory / "aepipe.json").read_text())
    assert manifest["pipeline"] == "beats"
    assert manifest["run_id"]
    assert manifest["blessed"]
    served = tf.saved_model.load(str(directory))
    assert float(served.threshold) == manifest["threshold"]
    with metadata.Metadata(connection(tmp_path)) as handle:
        refused = max(handle.store.get_artifacts_by_type("ModelBlessing"), key=lambda a: a.id)
    assert refused.custom_properties["blessed"].int_value == 0
    assert refused.custom_properties["baseline_model_id"].int_value > 0
    assert (
        "is worse than the baseline's" in refused.custom_properties["blessing_message"].string_value
    )
