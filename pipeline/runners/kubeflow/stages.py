"""Stages that do on Kubeflow Pipelines what TFX does elsewhere without a container.

The server runs containers and importers only. TFX's drivers, which resolve spans and look into the
cache, its Resolvers, and files of the compiling machine are not there.
"""

import json
import logging
import shutil
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.component.experimental.annotations import (
    InputArtifact,
    OutputArtifact,
    OutputDict,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration.kubeflow.decorators import exit_handler
from tfx.types import standard_component_specs
from tfx.types.experimental.simple_artifacts import File
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelEvaluation, PushedModel, Schema
from tfx.utils import io_utils, path_utils

from components.example_gen.input_files import resolve_window
from data.facts import DataFacts, SpanFacts
from data.spans.window import ReadSpan, ReadWindow
from pipeline.run.collect import judged_outcome
from pipeline.run.outcome import (
    OUTCOME_FILE,
    RunOutcome,
    outcome_from_dict,
    write_outcome,
)
from pipeline.run.webhook import post_outcome
from pipeline.runners.kubeflow.step import ABSENT_PROPERTY, noted_failures
from pipeline_config import ScheduleConfig
from serving.push_directory.layout import list_versions
from serving.push_directory.model_versions import served_version

_LOG = logging.getLogger(__name__)

SCHEMA_FILE = "schema.pbtxt"
NO_MODEL_FILE = "NO_MODEL"


@component
def ResolveData(  # noqa: N802 - TFX names a component as a class.
    input_base: Parameter[str],
    input_config: Parameter[str],
    range_config: Parameter[str],
    custom_config: Parameter[str],
) -> OutputDict(span_window=str, input_fingerprint=str):  # type: ignore[valid-type]
    """Finds the files to read, and whether they are new: the work of ExampleGen's driver.

    Args:
        input_base: ExampleGen's.
        input_config: ExampleGen's.
        range_config: ExampleGen's; empty if it has none.
        custom_config: ExampleGen's.

    Returns:
        `span_window`: the files to read, `ReadWindow` as JSON; and `input_fingerprint`: a digest
        of their names, sizes and times.

    Raises:
        UserInputError: No file matches, or a span lacks files.
    """
    window = resolve_window(
        {
            standard_component_specs.INPUT_BASE_KEY: input_base,
            standard_component_specs.INPUT_CONFIG_KEY: input_config,
            standard_component_specs.RANGE_CONFIG_KEY: range_config,
            standard_component_specs.CUSTOM_CONFIG_KEY: custom_config,
        }
    )
    return {"span_window": window.to_json(), "input_fingerprint": window.fingerprint}


@component
def WriteSchema(  # noqa: N802 - TFX names a component as a class.
    content: Parameter[str], schema: OutputArtifact[Schema]
) -> None:
    """Writes the curated schema, which travels in the pipeline's specification.

    Args:
        content: The schema in protobuf's text format.
        schema: The artifact to write.
    """
    # An error in it is reported here, not by all who read it.
    text_format.Parse(content, schema_pb2.Schema())
    io_utils.write_string_file(f"{schema.uri}/{SCHEMA_FILE}", content)


@component
def ServedModel(  # noqa: N802 - TFX names a component as a class.
    push_root: Parameter[str], model_name: Parameter[str], model: OutputArtifact[Model]
) -> None:
    """Takes the model that is served by default now: blessed, and with its threshold inside.

    It is copied, as a later push may remove it.

    Args:
        push_root: The push directory.
        model_name: Folder of the model in it.
        model: The artifact to write; marked as absent if nothing was pushed yet.
    """
    directory = Path(push_root, model_name)
    if not list_versions(directory):
        model.set_int_custom_property(ABSENT_PROPERTY, 1)
        io_utils.write_string_file(f"{model.uri}/{NO_MODEL_FILE}", f"{directory} has no version\n")
        return
    version = directory / str(served_version(directory))
    io_utils.copy_dir(str(version), path_utils.serving_model_dir(model.uri))
    model.set_string_custom_property("served_version", version.name)


@component
def RecordOutcome(  # noqa: N802 - TFX names a component as a class.
    verdict: InputArtifact[File],
    evaluation: InputArtifact[ModelEvaluation],
    pushed_model: InputArtifact[PushedModel],
    pipeline: Parameter[str],
    data_folder: Parameter[str],
    runs_folder: Parameter[str],
    run_id: Parameter[str],
    span_window: Parameter[str] = "",
    infra_blessing: InputArtifact[InfraBlessing] = None,
) -> None:
    """Records the outcome of a run that ended with its last stage; never taken from the cache.

    Args:
        verdict: The data gate's.
        evaluation: The evaluator's findings.
        pushed_model: The pusher's, of this run or out of the cache.
        pipeline: Name of the pipeline.
        data_folder: What ExampleGen read.
        runs_folder: Folder of all runs' notes.
        run_id: This run.
        span_window: ResolveData's.
        infra_blessing: The infra validator's; none if it is turned off.
    """
    facts = _data_facts(data_folder, span_window)
    outcome = judged_outcome(
        RunOutcome(pipeline, run_id, "interrupted", facts),
        verdict_uri=verdict.uri,
        evaluation_uri=evaluation.uri,
        blessing=infra_blessing,
        pushed=pushed_model,
        is_fresh=f"/{run_id}/" in pushed_model.uri,
    )
    folder = Path(runs_folder, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    write_outcome(outcome, folder)


@exit_handler
def NotifyWebhook(  # noqa: N802 - TFX names a component as a class.
    pipeline: Parameter[str],
    runs_folder: Parameter[str],
    run_id: Parameter[str],
    webhook_on: Parameter[str],
) -> None:
    """Posts a run that ended badly, as `aepipe run --json` prints it.

    Args:
        pipeline: Name of the pipeline.
        runs_folder: Folder of all runs' notes; this run's are removed.
        run_id: This run.
        webhook_on: Of `ScheduleConfig`, as JSON. The URL comes from a secret of the cluster, in
            the environment.
    """
    folder = Path(runs_folder, run_id)
    outcome = ended(folder, pipeline, run_id)
    _LOG.info("%s", json.dumps({"runs": [outcome.as_dict()]}))
    if failure := post_outcome(outcome, ScheduleConfig(webhook_on=tuple(json.loads(webhook_on)))):
        _LOG.error("%s", failure)
    shutil.rmtree(folder, ignore_errors=True)


def ended(folder: Path, pipeline: str, run_id: str) -> RunOutcome:
    """Returns the outcome of a run, from what its steps left in its folder."""
    try:
        return outcome_from_dict(json.loads((folder / OUTCOME_FILE).read_text()))
    except FileNotFoundError:
        failures = noted_failures(folder)
    if not failures:
        reason = (
            "a step was stopped before it could say why, or never started: "
            "see the run at Kubeflow Pipelines"
        )
        return RunOutcome(pipeline, run_id, "failed", reasons=[reason])
    _, status, _ = failures[0]
    reasons = [f"{stage}: {reason}" for stage, _, reason in failures]
    return RunOutcome(pipeline, run_id, status, reasons=reasons)


def _data_facts(folder: str, span_window: str) -> DataFacts:
    window = ReadWindow.from_json(span_window) if span_window else None
    return DataFacts(
        source="given",
        directory=folder,
        # The files are not read for a digest of their contents here.
        sha256="",
        spans=[_span_facts(span) for span in window.spans] if window and window.has_spans else [],
        previous_span=_span_facts(window.previous) if window and window.previous else None,
    )


def _span_facts(span: ReadSpan) -> SpanFacts:
    return SpanFacts(span.number, span.name, span.version, sha256="")
