"""Compiles a pipeline for Kubeflow Pipelines 2."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import text_format
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
    KubeflowV2DagRunner,
    KubeflowV2DagRunnerConfig,
)
from tfx.orchestration.pipeline import Pipeline

from components.schema.curated import schema_of
from data.spans.names import has_spans
from pipeline.beam_profiles import beam_arguments
from pipeline.build import build_stages
from pipeline.runners.kubeflow.spec import (
    DATA_PARAMETER,
    EXIT_HANDLER,
    INGESTION_STAGE,
    RECORD_STAGE,
    RESOLVE_STAGE,
    for_server,
    platform_spec,
)
from pipeline.runners.kubeflow.stages import (
    NotifyWebhook,
    RecordOutcome,
    ResolveData,
    ServedModel,
    WriteSchema,
)
from pipeline.runners.kubeflow.step import RUN_ID_PLACEHOLDER
from pipeline.runners.kubeflow.target import KubeflowTarget
from pipeline_config import PipelineConfig, UserInputError
from serving.push_directory import durable_files

STEP_COMMAND = ("python", "-m", "pipeline.runners.kubeflow.step")

_SPAN_FOLDERS = {"number": "span-{SPAN}", "date": "span-{YYYY}-{MM}-{DD}"}


def compile_documents(config: PipelineConfig, target: KubeflowTarget) -> list[dict[str, Any]]:
    """Returns the YAML documents: the pipeline's specification and, if needed, the platform's.

    If the target has a secret with a webhook's URL, an exit handler posts to it. For that each
    step that fails writes its reason into the push directory, so a claim of it is mounted in all.

    Raises:
        UserInputError: The patterns name spans in another way than `target.spans`, the config
            holds the webhook's URL itself, or the user's own schema is wrong.
    """
    if config.schedule.webhook_url:
        raise UserInputError(
            "schedule.webhook_url: whoever reads the compiled file would read the URL in clear: "
            "keep it in a Secret of the cluster and name that with --webhook-secret NAME/KEY"
        )
    config = _with_span_folders(config, target)
    pipeline = Pipeline(
        pipeline_name=name_in_specification(config.name),
        pipeline_root=target.pipeline_root or "",
        components=_stages(config, target),
        enable_cache=True,
        beam_pipeline_args=beam_arguments(target.beam_profile, target.beam_args),
    )
    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(
            default_image=target.image,
            default_commands=list(STEP_COMMAND),
            # The server takes no other.
            use_pipeline_spec_2_1=True,
        )
    )
    if target.runs_folder is not None:
        handler = NotifyWebhook(
            pipeline=config.name,
            runs_folder=target.runs_folder,
            run_id=RUN_ID_PLACEHOLDER,
            webhook_on=json.dumps(config.schedule.webhook_on),
        )
        runner.set_exit_handler(handler.with_id(EXIT_HANDLER))
    on_beam = [
        node.id for node in pipeline.components if isinstance(node.executor_spec, BeamExecutorSpec)
    ]
    spec = for_server(
        runner.run(pipeline, write_out=False)["pipelineSpec"],
        target,
        data_folder=f"{target.data.path.rstrip('/')}/{config.data.folder}",
        remote_stages=on_beam if target.beam_profile == "dataflow" else (),
    )
    platform = platform_spec(spec, target)
    return [spec, platform] if platform else [spec]


def name_in_specification(pipeline: str) -> str:
    """Returns a pipeline's name as TFX takes it for a specification: `[a-z0-9][a-z0-9-]{0,127}`.

    >>> name_in_specification("basic_plus")
    'basic-plus'
    """
    return re.sub("[^a-z0-9-]", "-", pipeline.lower()).lstrip("-") or "aepipe"


def write_documents(documents: list[dict[str, Any]], path: Path) -> None:
    """Writes a specification as `kfp` and the server's user interface read it.

    Raises:
        UserInputError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        durable_files.write_text(path, yaml.safe_dump_all(documents, sort_keys=True))
    except OSError as error:
        raise UserInputError(f"cannot write {path}: {error.strerror or error}") from error


def _stages(config: PipelineConfig, target: KubeflowTarget) -> list[BaseNode]:
    """Returns the pipeline's stages, and those that a cluster needs besides."""
    push_root = target.push.path

    def served_model(node: BaseNode, output: str) -> BaseNode:
        """The model that is served when `node` has ended."""
        del output
        stage = ServedModel(push_root=push_root, model_name=config.pusher.model_name)
        stage.add_upstream_node(node)
        return stage

    stages = build_stages(
        config,
        data_directory=RuntimeParameter(name=DATA_PARAMETER, ptype=str),
        data_sha256=None,
        push_root=push_root,
        schema=WriteSchema(content=text_format.MessageToString(schema_of(config))),
        blessed_model_before=served_model,
    )
    by_id = {stage.id: stage for stage in stages}
    ingestion = by_id[INGESTION_STAGE]
    properties = ingestion.exec_properties
    resolve = ResolveData(
        input_base=properties["input_base"],
        input_config=properties["input_config"],
        range_config=properties["range_config"] or "",
        custom_config=properties["custom_config"],
    ).with_id(RESOLVE_STAGE)
    # Its outputs are wired in the specification.
    ingestion.add_upstream_node(resolve)
    stages.append(resolve)
    if target.runs_folder is not None:
        infra_validator = by_id.get("InfraValidator")
        record = RecordOutcome(
            verdict=by_id["DataGate"].outputs["verdict"],
            evaluation=by_id["ThresholdEvaluator"].outputs["evaluation"],
            pushed_model=by_id["VersionedPusher"].outputs["pushed_model"],
            infra_blessing=infra_validator.outputs["blessing"] if infra_validator else None,
            pipeline=config.name,
            data_folder=properties["input_base"],
            runs_folder=target.runs_folder,
            run_id=RUN_ID_PLACEHOLDER,
        )
        stages.append(record.with_id(RECORD_STAGE))
    return stages


def _with_span_folders(config: PipelineConfig, target: KubeflowTarget) -> PipelineConfig:
    """The data cannot be looked at now, so the option says what `aepipe run` sees by itself."""
    if target.spans is None:
        return config
    folder = _SPAN_FOLDERS[target.spans]
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(config.data):
        if field.name.endswith("pattern"):
            pattern = getattr(config.data, field.name)
            if has_spans(pattern):
                raise UserInputError(
                    f"--spans {target.spans}: data.{field.name}={pattern} names spans itself; "
                    "leave one out"
                )
            changes[field.name] = f"{folder}/{pattern}"
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **changes))
