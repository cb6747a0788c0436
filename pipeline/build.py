"""From a config to a TFX pipeline: short functions, one a stage group."""

import json
from collections.abc import Sequence

import tensorflow_data_validation as tfdv
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2, transform_pb2
from tfx.types.channel import Channel

from components.data_gate.component import DataGate
from components.data_gate.drift import HISTOGRAM_BUCKETS
from components.example_gen.component import example_gen
from components.infra_validator.component import InfraValidator
from components.threshold_evaluator.component import ThresholdEvaluator
from components.threshold_evaluator.config import EvaluationConfig
from components.versioned_pusher.component import VersionedPusher
from data.spans.window import ReadWindow
from pipeline.fingerprint import source_fingerprint
from pipeline.home import Home
from pipeline.place import LocalPlace, Place
from pipeline_config import (
    NEWEST_SPLIT,
    PREVIOUS_SPLIT,
    SPLITS,
    PipelineConfig,
    section_as_dict,
)


def build_pipeline(
    config: PipelineConfig,
    *,
    data_directory: str,
    data_sha256: str,
    home: Home,
    beam_args: Sequence[str],
    cache: bool = True,
    files: ReadWindow | None = None,
) -> Pipeline:
    """Builds one autoencoder's pipeline for this machine.

    Args:
        config: What the pipeline is.
        data_directory: Folder of the raw files.
        data_sha256: Digest of the raw files, recorded with the pushed model.
        home: Where artifacts, metadata and served models go.
        beam_args: Options of the Beam pipelines.
        cache: Whether a stage's result of an earlier run may be taken.
        files: Exactly what to read, of which `data_sha256` was made; None to look for it when
            ExampleGen runs.

    Returns:
        A pipeline for TFX's local runner.
    """
    return build_pipeline_at(
        LocalPlace(home),
        config,
        data_directory=data_directory,
        data_sha256=data_sha256,
        beam_args=beam_args,
        cache=cache,
        files=files,
    )


def build_pipeline_at(
    place: Place,
    config: PipelineConfig,
    *,
    data_directory: str | RuntimeParameter,
    data_sha256: str | None,
    beam_args: Sequence[str],
    cache: bool = True,
    files: ReadWindow | None = None,
) -> Pipeline:
    """Builds one autoencoder's pipeline, wherever it runs.

    Args:
        place: Where it runs.
        config: What the pipeline is.
        data_directory: Folder of the raw files, as ExampleGen sees it.
        data_sha256: Digest of the raw files; None if they are not known yet.
        beam_args: Options of the Beam pipelines.
        cache: Whether a stage's result of an earlier run may be taken.
        files: Exactly what to read; None to look for it when ExampleGen runs.

    Returns:
        A pipeline for the place's runner.
    """
    ingestion = _ingestion(config, data_directory, files)
    validation = _validation(config, ingestion.outputs["examples"], place)
    schema, gate = validation[0], validation[-1]
    transform = _transform(config, ingestion.outputs["examples"], schema.outputs["schema"])
    transform.add_upstream_node(gate)
    training = _training(config, transform, schema, place)
    judging = _judging(config, ingestion, transform, training[-1], place)
    pushing = _pushing(config, ingestion, judging[-1], place.push_root, data_sha256)
    before = place.before_ingestion(ingestion)
    stages = [*before, ingestion, *validation, transform, *training, *judging, *pushing]
    last = place.after_push(config, {stage.id: stage for stage in stages})
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=place.pipeline_root(config),
        components=[*stages, *last],
        enable_cache=cache,
        metadata_connection_config=place.metadata(config),
        beam_pipeline_args=list(beam_args),
    )


def _ingestion(
    config: PipelineConfig, data_directory: str | RuntimeParameter, files: ReadWindow | None
) -> FileBasedExampleGen:
    return example_gen(
        data_directory,
        config.data,
        fingerprint=source_fingerprint("components/example_gen", "data/formats"),
        compare_spans=config.gate.compares_spans,
        files=files,
    ).with_id("ExampleGen")


def _validation(config: PipelineConfig, examples: Channel, place: Place) -> list[BaseNode]:
    """The curated schema, what TFDV finds, and the gate that acts on it, in this order."""
    schema = place.schema(config).with_id("SchemaGen")
    statistics = StatisticsGen(
        examples=examples,
        schema=schema.outputs["schema"],
        stats_options=tfdv.StatsOptions(num_histogram_buckets=HISTOGRAM_BUCKETS),
    )
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        # Their examples are in the other splits too, or are of a span that this run does not read.
        exclude_splits=[NEWEST_SPLIT, PREVIOUS_SPLIT],
    )
    gate = DataGate(
        statistics=statistics.outputs["statistics"],
        anomalies=validator.outputs["anomalies"],
        schema=schema.outputs["schema"],
        both_classes=int(config.is_detector),
        drift_threshold=config.gate.drift_threshold,
        label_drift_threshold=config.gate.label_drift_threshold,
        schema_file=f"components/schema/{config.schema}",
        fingerprint=source_fingerprint("components/data_gate"),
    )
    return [schema, statistics, validator, gate]


def _transform(config: PipelineConfig, examples: Channel, schema: Channel) -> Transform:
    return Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="components.preprocessing.preprocessing.preprocessing_fn",
        custom_config={
            "feature": config.data.feature,
            "shape": list(config.data.shape),
            "noise": config.transform.noise,
            "noise_seed": config.transform.noise_seed,
            "fingerprint": source_fingerprint("components/preprocessing"),
        },
        splits_config=transform_pb2.SplitsConfig(analyze=["train"], transform=list(SPLITS)),
        # StatisticsGen has looked at the raw examples; these would be the same, scaled.
        disable_statistics=True,
    )


def _training(
    config: PipelineConfig, transform: Transform, schema: BaseNode, place: Place
) -> list[BaseNode]:
    nodes: list[BaseNode] = []
    base_model = None
    if config.trainer.warm_start:
        # The newest model that is older than this data: an unchanged run finds the same one.
        resolver = place.blessed_model_before(config, transform, "transform_graph")
        nodes.append(resolver.with_id("WarmStartResolver"))
        base_model = resolver.outputs["model"]
    trainer = Trainer(
        run_fn="trainer.train.run_fn",
        transformed_examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.outputs["schema"],
        base_model=base_model,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={
            "config": {
                "name": config.name,
                "model": config.model,
                "loss": config.loss,
                "detector": config.is_detector,
                "feature": config.data.feature,
                "shape": list(config.data.shape),
                "trainer": section_as_dict(config.trainer),
            },
            "fingerprint": source_fingerprint("trainer"),
        },
    )
    return [*nodes, trainer]


def _judging(
    config: PipelineConfig,
    ingestion: FileBasedExampleGen,
    transform: Transform,
    trainer: BaseNode,
    place: Place,
) -> list[BaseNode]:
    baseline = place.blessed_model_before(config, trainer, "model").with_id("BaselineResolver")
    evaluator = ThresholdEvaluator(
        examples=ingestion.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        config=EvaluationConfig.from_pipeline(config).to_json(),
        fingerprint=source_fingerprint("components/threshold_evaluator"),
    )
    return [baseline, evaluator]


def _pushing(
    config: PipelineConfig,
    ingestion: FileBasedExampleGen,
    evaluator: BaseNode,
    push_root: str,
    data_sha256: str | None,
) -> list[BaseNode]:
    nodes: list[BaseNode] = []
    infra_blessing = None
    if config.infra_validator.enabled:
        infra_validator = InfraValidator(
            model=evaluator.outputs["judged_model"],
            model_blessing=evaluator.outputs["blessing"],
            examples=ingestion.outputs["examples"],
            config=json.dumps(section_as_dict(config.infra_validator)),
            fingerprint=source_fingerprint("components/infra_validator", "serving"),
        )
        nodes.append(infra_validator)
        infra_blessing = infra_validator.outputs["blessing"]
    pusher = VersionedPusher(
        model=evaluator.outputs["judged_model"],
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=infra_blessing,
        evaluation=evaluator.outputs["evaluation"],
        examples=ingestion.outputs["examples"],
        push_root=push_root,
        config=json.dumps(section_as_dict(config.pusher)),
        run=json.dumps({"pipeline": config.name, "data_sha256": data_sha256}),
        fingerprint=source_fingerprint("components/versioned_pusher", "serving/push_directory"),
    )
    return [*nodes, pusher]
