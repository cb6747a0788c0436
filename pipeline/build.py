"""From a config to a TFX pipeline: short functions, one a stage group."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow_data_validation as tfdv
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2, transform_pb2
from tfx.types.channel import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.blessed_model_resolver import LatestBlessedModelBefore
from components.data_gate.component import DataGate
from components.data_gate.drift import HISTOGRAM_BUCKETS
from components.example_gen.component import example_gen
from components.infra_validator.component import InfraValidator
from components.schema import where_to_change
from components.schema.curated import write_schema
from components.threshold_evaluator.component import ThresholdEvaluator
from components.threshold_evaluator.config import EvaluationConfig
from components.versioned_pusher.component import VersionedPusher
from data.spans.window import ReadWindow
from pipeline.fingerprint import source_fingerprint
from pipeline.home import Home
from pipeline_config import (
    CALIBRATION_SPLIT,
    NEWEST_SPLIT,
    PREVIOUS_SPLIT,
    SPLITS,
    PipelineConfig,
    reading_settings,
    section_as_dict,
)
from serving.push_directory.manifest import READING_KEY

BlessedModelBefore = Callable[[BaseNode, str], BaseNode]
"""Returns a stage whose output `model` is the latest blessed model older than an output of a node,
both of which are given."""


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
    """Builds one autoencoder's pipeline for TFX's local runner.

    Args:
        config: What the pipeline is.
        data_directory: Folder of the raw files.
        data_sha256: Digest of the raw files, recorded with the pushed model.
        home: Where artifacts, metadata and served models go.
        beam_args: Options of the Beam pipelines.
        cache: Whether a stage's result of an earlier run may be taken.
        files: Exactly what to read, of which `data_sha256` was made; None to look for it when
            ExampleGen runs.

    Raises:
        UserInputError: The user's own schema is wrong.
    """
    schema_file = write_schema(config, home.schemas)
    stages = build_stages(
        config,
        data_directory=data_directory,
        data_sha256=data_sha256,
        push_root=str(home.push_root),
        schema=ImportSchemaGen(schema_file=str(schema_file)),
        blessed_model_before=_resolver,
        files=files,
    )
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(home.artifacts(config.name)),
        components=stages,
        enable_cache=cache,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(
            str(home.metadata_path(config.name))
        ),
        beam_pipeline_args=list(beam_args),
    )


def build_stages(
    config: PipelineConfig,
    *,
    data_directory: str | RuntimeParameter,
    data_sha256: str | None,
    push_root: str,
    schema: BaseNode,
    blessed_model_before: BlessedModelBefore,
    files: ReadWindow | None = None,
) -> list[BaseNode]:
    """Builds the stages of one autoencoder's pipeline, for any orchestrator.

    Args:
        config: What the pipeline is.
        data_directory: Folder of the raw files, as ExampleGen sees it.
        data_sha256: Digest of the raw files; None if they are not known yet.
        push_root: The push directory, as the pusher sees it.
        schema: A stage whose output `schema` is that of the examples.
        blessed_model_before: Makes the stages that find an earlier model.
        files: Exactly what to read; None to look for it when ExampleGen runs.
    """
    schema = schema.with_id("SchemaGen")
    ingestion = _ingestion(config, data_directory, files)
    examples = ingestion.outputs["examples"]
    statistics, validator, gate = _validation(config, examples, schema)
    transform = _transform(config, examples, schema.outputs["schema"])
    transform.add_upstream_node(gate)
    training = _training(config, transform, schema, blessed_model_before)
    trainer = training[-1]
    baseline = blessed_model_before(trainer, "model").with_id("BaselineResolver")
    evaluator = ThresholdEvaluator(
        examples=examples,
        transform_graph=transform.outputs["transform_graph"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        config=EvaluationConfig.from_pipeline(config).to_json(),
        fingerprint=source_fingerprint("components/threshold_evaluator"),
    )
    pushing = _pushing(config, examples, evaluator, push_root, data_sha256)
    stages = [ingestion, schema, statistics, validator, gate, transform]
    return [*stages, *training, baseline, evaluator, *pushing]


def _resolver(node: BaseNode, output: str) -> BaseNode:
    """A Resolver, which finds the same model for an artifact out of the cache."""
    return Resolver(
        strategy_class=LatestBlessedModelBefore,
        before=node.outputs[output],
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
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


def _validation(config: PipelineConfig, examples: Channel, schema: BaseNode) -> list[BaseNode]:
    """Statistics, what TFDV finds in them, and the gate that acts on it, in this order."""
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
        presumes_normal=int(config.data.presumes_normal),
        normal_classes=json.dumps(config.data.normal),
        promised_rate=config.promised_rate,
        drift_threshold=config.gate.drift_threshold,
        label_drift_threshold=config.gate.label_drift_threshold,
        schema_file=where_to_change(config),
        fingerprint=source_fingerprint("components/data_gate"),
    )
    return [statistics, validator, gate]


def _transform(config: PipelineConfig, examples: Channel, schema: Channel) -> Transform:
    return Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn="components.preprocessing.preprocessing.preprocessing_fn",
        custom_config={
            "feature": config.data.feature,
            "shape": list(config.data.shape),
            "scale": config.transform.scale,
            "noise": config.transform.noise,
            "noise_seed": config.transform.noise_seed,
            "fingerprint": source_fingerprint("components/preprocessing"),
        },
        splits_config=transform_pb2.SplitsConfig(
            analyze=["train"], transform=list(config.data.splits)
        ),
        # StatisticsGen has looked at the raw examples; these would be the same, scaled.
        disable_statistics=True,
    )


def _training(
    config: PipelineConfig,
    transform: Transform,
    schema: BaseNode,
    blessed_model_before: BlessedModelBefore,
) -> list[BaseNode]:
    nodes: list[BaseNode] = []
    base_model = None
    if config.trainer.warm_start:
        # The newest model that is older than this data: an unchanged run finds the same one.
        resolver = blessed_model_before(transform, "transform_graph")
        nodes.append(resolver.with_id("WarmStartResolver"))
        base_model = resolver.outputs["model"]
    validation = CALIBRATION_SPLIT if config.data.held_out else SPLITS[1]
    trainer = Trainer(
        run_fn="trainer.train.run_fn",
        transformed_examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.outputs["schema"],
        base_model=base_model,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=[validation]),
        custom_config={
            "config": training_settings(config),
            "fingerprint": source_fingerprint("trainer"),
        },
    )
    return [*nodes, trainer]


def training_settings(config: PipelineConfig) -> dict[str, Any]:
    """Returns as JSON values what `TrainerSettings.from_custom_config` reads."""
    return {
        "name": config.name,
        "model": config.model,
        "loss": config.loss,
        "detector": config.is_detector,
        "feature": config.data.feature,
        "shape": list(config.data.shape),
        "trainer": section_as_dict(config.trainer),
        "presumes_normal": config.data.presumes_normal,
        **({"validates_on_held_out": True} if config.data.held_out else {}),
    }


def _pushing(
    config: PipelineConfig,
    examples: Channel,
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
            examples=examples,
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
        examples=examples,
        push_root=push_root,
        config=json.dumps(section_as_dict(config.pusher)),
        run=json.dumps(
            {
                "pipeline": config.name,
                "data_sha256": data_sha256,
                # `aepipe predict` reads files as the run did.
                READING_KEY: json.loads(reading_settings(config.data)),
            }
        ),
        fingerprint=source_fingerprint("components/versioned_pusher", "serving/push_directory"),
    )
    return [*nodes, pusher]
