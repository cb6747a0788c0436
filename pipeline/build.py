"""From a config to a TFX pipeline: short functions, one a stage group."""

import json
from collections.abc import Sequence

from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2
from tfx.types.channel import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.blessed_model_resolver.strategy import LatestBlessedModelBefore
from components.data_gate.component import DataGate
from components.ecg_example_gen.component import ecg_example_gen
from components.idx_example_gen.component import idx_example_gen
from components.schema.curated import write_curated_schema
from components.threshold_evaluator.component import ThresholdEvaluator
from components.threshold_evaluator.config import EvaluationConfig
from components.versioned_pusher.component import VersionedPusher
from pipeline.fingerprint import source_fingerprint
from pipeline.home import Home
from pipeline_config import PipelineConfig, SignalData, section_as_dict


def build_pipeline(
    config: PipelineConfig,
    *,
    data_directory: str,
    data_sha256: str,
    home: Home,
    beam_args: Sequence[str],
    cache: bool = True,
) -> Pipeline:
    """Builds one autoencoder's pipeline.

    Args:
        config: What the pipeline is.
        data_directory: Folder of the raw files.
        data_sha256: Digest of the raw files, told in what is pushed.
        home: Where artifacts, metadata and served models go.
        beam_args: Options of the Beam pipelines.
        cache: Whether a stage's result of an earlier run may be taken.

    Returns:
        A pipeline for any of TFX's runners.
    """
    ingestion = _ingestion(config, data_directory)
    validation = _validation(config, ingestion.outputs["examples"], home)
    schema, gate = validation[0], validation[-1]
    transform = _transform(config, ingestion.outputs["examples"], schema.outputs["schema"])
    transform.add_upstream_node(gate)
    training = _training(config, transform, schema)
    judging = _judging(config, ingestion, transform, training[-1])
    pusher = _pushing(config, ingestion, judging[-1], home, data_sha256)
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(home.artifacts(config.name)),
        components=[ingestion, *validation, transform, *training, *judging, pusher],
        enable_cache=cache,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(
            str(home.metadata_path(config.name))
        ),
        beam_pipeline_args=list(beam_args),
    )


def _ingestion(config: PipelineConfig, data_directory: str) -> FileBasedExampleGen:
    if isinstance(config.data, SignalData):
        fingerprint = source_fingerprint("components/ecg_example_gen")
        example_gen = ecg_example_gen(data_directory, config.data, fingerprint=fingerprint)
    else:
        fingerprint = source_fingerprint("components/idx_example_gen")
        example_gen = idx_example_gen(data_directory, config.data, fingerprint=fingerprint)
    return example_gen.with_id("ExampleGen")


def _validation(config: PipelineConfig, examples: Channel, home: Home) -> list[BaseNode]:
    """The curated schema, what TFDV finds, and the gate that acts on it, in this order."""
    schema_file = write_curated_schema(
        config.schema,
        feature=config.data.feature,
        shape=config.data.shape,
        directory=home.schemas,
    )
    schema = ImportSchemaGen(schema_file=str(schema_file)).with_id("SchemaGen")
    statistics = StatisticsGen(examples=examples, schema=schema.outputs["schema"])
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
    )
    gate = DataGate(
        statistics=statistics.outputs["statistics"],
        anomalies=validator.outputs["anomalies"],
        both_classes=int(config.is_detector),
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
        # StatisticsGen has looked at the raw examples; these would be the same, scaled.
        disable_statistics=True,
    )


def _training(
    config: PipelineConfig, transform: Transform, schema: ImportSchemaGen
) -> list[BaseNode]:
    nodes: list[BaseNode] = []
    base_model = None
    if config.trainer.warm_start:
        # The newest model that is older than this data: an unchanged run finds the same one.
        resolver = _latest_blessed_before(transform.outputs["transform_graph"])
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
) -> list[BaseNode]:
    baseline = _latest_blessed_before(trainer.outputs["model"]).with_id("BaselineResolver")
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
    home: Home,
    data_sha256: str,
) -> BaseNode:
    return VersionedPusher(
        model=evaluator.outputs["judged_model"],
        model_blessing=evaluator.outputs["blessing"],
        evaluation=evaluator.outputs["evaluation"],
        examples=ingestion.outputs["examples"],
        push_root=str(home.push_root),
        config=json.dumps(section_as_dict(config.pusher)),
        run=json.dumps({"pipeline": config.name, "data_sha256": data_sha256}),
        fingerprint=source_fingerprint("components/versioned_pusher"),
    )


def _latest_blessed_before(artifact: Channel) -> Resolver:
    return Resolver(
        strategy_class=LatestBlessedModelBefore,
        before=artifact,
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    )
