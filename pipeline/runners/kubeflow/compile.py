"""Compiles a pipeline for Kubeflow Pipelines 2."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import text_format
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
    KubeflowV2DagRunner,
    KubeflowV2DagRunnerConfig,
)
from tfx.orchestration.pipeline import Pipeline

from components.schema.curated import curated_schema
from data.spans.names import has_spans
from pipeline.beam_profiles import beam_arguments
from pipeline.build import build_pipeline_at
from pipeline.run.webhook import WEBHOOK_VARIABLE
from pipeline.runners.kubeflow.spec import for_server, platform_spec, stage_tasks
from pipeline.runners.kubeflow.stages import (
    RecordOutcome,
    ResolveData,
    ServedModel,
    TellWebhook,
    WriteSchema,
)
from pipeline.runners.kubeflow.step import RUN_ID_PLACEHOLDER, RUNS_FOLDER
from pipeline.runners.kubeflow.target import KubeflowTarget
from pipeline_config import ImageData, PipelineConfig, SignalData, UserInputError
from serving.push_directory import durable_files

STEP_COMMAND = ("python", "-m", "pipeline.runners.kubeflow.step")

DATA_PARAMETER = "data_folder"
"""Runtime parameter: the folder of this pipeline's files, as a container sees it."""

RESOLVE_STAGE = "ResolveData"
RECORD_STAGE = "RecordOutcome"
INGESTION_STAGE = "ExampleGen"

EXIT_HANDLER = "TellWebhook"

_PUSH_STAGES = ("WarmStartResolver", "BaselineResolver", "VersionedPusher")
"""Those that look into the push directory, or write to it."""

_SPAN_FOLDERS = {"number": "span-{SPAN}", "date": "span-{YYYY}-{MM}-{DD}"}


class KubeflowPlace:
    """A cluster: no path of this machine is known there.

    Args:
        push_root: The push directory, as a container sees it.
        pipeline_root: Where artifacts go; empty for the server's own.
        runs_folder: Where a run's stages leave notes for its exit handler; None without one.
    """

    def __init__(self, push_root: str, pipeline_root: str, runs_folder: str | None = None) -> None:
        self._push_root = push_root
        self._pipeline_root = pipeline_root
        self._runs_folder = runs_folder

    @property
    def push_root(self) -> str:
        """The push directory."""
        return self._push_root

    def pipeline_root(self, config: PipelineConfig) -> str:
        """Where artifacts go."""
        del config
        return self._pipeline_root

    def metadata(self, config: PipelineConfig) -> None:
        """The server has its own."""
        del config

    def before_ingestion(self, ingestion: FileBasedExampleGen) -> list[BaseNode]:
        """The stage that does the work of ExampleGen's driver; its outputs are wired later."""
        properties = ingestion.exec_properties
        stage = ResolveData(
            input_base=properties["input_base"],
            input_config=properties["input_config"],
            range_config=properties["range_config"] or "",
            custom_config=properties["custom_config"],
        ).with_id(RESOLVE_STAGE)
        ingestion.add_upstream_node(stage)
        return [stage]

    def schema(self, config: PipelineConfig) -> BaseNode:
        """A stage that has the schema as a parameter."""
        schema = curated_schema(config.schema, feature=config.data.feature, shape=config.data.shape)
        return WriteSchema(content=text_format.MessageToString(schema))

    def blessed_model_before(self, config: PipelineConfig, node: BaseNode, output: str) -> BaseNode:
        """The model that is served when `node` has ended."""
        del output
        stage = ServedModel(push_root=self._push_root, model_name=config.pusher.model_name)
        stage.add_upstream_node(node)
        return stage

    def after_push(self, config: PipelineConfig, stages: Mapping[str, BaseNode]) -> list[BaseNode]:
        """The stage that records what came of the run, if somebody is to be notified."""
        if self._runs_folder is None:
            return []
        infra_validator = stages.get("InfraValidator")
        stage = RecordOutcome(
            verdict=stages["DataGate"].outputs["verdict"],
            evaluation=stages["ThresholdEvaluator"].outputs["evaluation"],
            pushed_model=stages["VersionedPusher"].outputs["pushed_model"],
            infra_blessing=infra_validator.outputs["blessing"] if infra_validator else None,
            pipeline=config.name,
            data_folder=stages["ExampleGen"].exec_properties["input_base"],
            runs_folder=self._runs_folder,
            run_id=RUN_ID_PLACEHOLDER,
        )
        return [stage.with_id(RECORD_STAGE)]


def compile_documents(config: PipelineConfig, target: KubeflowTarget) -> list[dict[str, Any]]:
    """Returns the YAML documents: the pipeline's specification and, if needed, the platform's.

    If the target has a secret with a webhook's URL, an exit handler posts to it. For that each
    step that fails writes its reason into the push directory, so a claim of it is mounted in all.

    Raises:
        UserInputError: The patterns name spans in another way than `target.spans`, or the config
            holds the webhook's URL itself.
    """
    data, push = target.data, target.push
    if config.schedule.webhook_url:
        raise UserInputError(
            "schedule.webhook_url: whoever reads the compiled file would read the URL in clear: "
            "keep it in a Secret of the cluster and name that with --webhook-secret NAME/KEY"
        )
    runs_folder = f"{push.path}/{RUNS_FOLDER}" if target.webhook else None
    config = dataclasses.replace(config, data=_with_span_folders(config.data, target))
    pipeline = build_pipeline_at(
        KubeflowPlace(push.path, target.pipeline_root or "", runs_folder),
        config,
        data_directory=RuntimeParameter(name=DATA_PARAMETER, ptype=str),
        data_sha256=None,
        beam_args=beam_arguments(target.beam_profile, target.beam_args),
    )
    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(
            default_image=target.image,
            default_commands=list(STEP_COMMAND),
            # The server takes no other.
            use_pipeline_spec_2_1=True,
        )
    )
    if runs_folder is not None:
        runner.set_exit_handler(_exit_handler(config, runs_folder))
    spec = for_server(
        runner.run(pipeline, write_out=False)["pipelineSpec"],
        resolve_stage=RESOLVE_STAGE,
        ingestion_stage=INGESTION_STAGE,
        record_stage=RECORD_STAGE,
        defaults={DATA_PARAMETER: f"{data.path.rstrip('/')}/{config.data.folder}"},
        pipeline_root=target.pipeline_root,
        runs_folder=runs_folder,
        remote_stages=_beam_stages(pipeline) if target.beam_profile == "dataflow" else (),
    )
    mounts = {
        stage: [
            *([data] if stage in (RESOLVE_STAGE, INGESTION_STAGE) else []),
            *([push] if stage in _PUSH_STAGES or runs_folder is not None else []),
        ]
        for stage in (*stage_tasks(spec), EXIT_HANDLER)
    }
    secrets = {EXIT_HANDLER: {WEBHOOK_VARIABLE: target.webhook}} if target.webhook else {}
    platform = platform_spec(spec, mounts, secrets)
    return [spec, platform] if platform else [spec]


def write_documents(documents: list[dict[str, Any]], path: Path) -> None:
    """Writes a specification where `kfp` and the server's user interface can read it.

    Raises:
        UserInputError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        durable_files.write_text(path, yaml.safe_dump_all(documents, sort_keys=True))
    except OSError as error:
        raise UserInputError(f"cannot write {path}: {error.strerror or error}") from error


def _exit_handler(config: PipelineConfig, runs_folder: str) -> BaseNode:
    handler = TellWebhook(
        pipeline=config.name,
        runs_folder=runs_folder,
        run_id=RUN_ID_PLACEHOLDER,
        webhook_on=json.dumps(config.schedule.webhook_on),
    )
    return handler.with_id(EXIT_HANDLER)


def _beam_stages(pipeline: Pipeline) -> list[str]:
    return [
        node.id for node in pipeline.components if isinstance(node.executor_spec, BeamExecutorSpec)
    ]


def _with_span_folders(
    data: SignalData | ImageData, target: KubeflowTarget
) -> SignalData | ImageData:
    """The data cannot be looked at now, so the option says what `aepipe run` sees by itself."""
    if target.spans is None:
        return data
    patterns = {
        field.name: getattr(data, field.name)
        for field in dataclasses.fields(data)
        if field.name.endswith("pattern")
    }
    for name, pattern in patterns.items():
        if has_spans(pattern):
            raise UserInputError(
                f"--spans {target.spans}: data.{name}={pattern} names spans itself; leave one out"
            )
    folder = _SPAN_FOLDERS[target.spans]
    changes: dict[str, Any] = {name: f"{folder}/{pattern}" for name, pattern in patterns.items()}
    return dataclasses.replace(data, **changes)
