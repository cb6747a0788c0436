"""What came of a run on Kubeflow Pipelines: a last stage records it, an exit handler tells it."""

import json
import logging
import shutil
from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration.kubeflow.decorators import exit_handler
from tfx.types.artifact import Artifact
from tfx.types.experimental.simple_artifacts import File
from tfx.types.standard_artifacts import InfraBlessing, ModelEvaluation, PushedModel

from components.infra_validator.blessing import BLESSED_PROPERTY, REASON_PROPERTY
from data.window import ReadSpan, ReadWindow
from pipeline.collect import judged_outcome
from pipeline.outcome import (
    OUTCOME_FILE,
    DataFacts,
    RunOutcome,
    SpanFacts,
    outcome_from_dict,
    write_outcome,
)
from pipeline.runners.kubeflow_notes import noted_failures
from pipeline.webhook import post_outcome
from pipeline_config import ScheduleConfig

_LOG = logging.getLogger(__name__)


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
    """Records what a run came to whose every stage has ended; never out of the cache.

    Args:
        verdict: The data gate's.
        evaluation: The evaluator's findings.
        pushed_model: The pusher's, of this run or out of the cache.
        pipeline: Name of the pipeline.
        data_folder: What ExampleGen read.
        runs_folder: Folder of all runs' notes.
        run_id: This run.
        span_window: ResolveData's.
        infra_blessing: The infra validator's; none where it is turned off.
    """
    outcome = judged_outcome(
        pipeline,
        run_id,
        _data_facts(data_folder, span_window),
        gate_uri=verdict.uri,
        evaluation_uri=evaluation.uri,
        infra_refusal=_infra_refusal(infra_blessing),
        destination=_destination(pushed_model),
        fresh=f"/{run_id}/" in pushed_model.uri,
    )
    folder = Path(runs_folder, run_id)
    folder.mkdir(parents=True, exist_ok=True)
    write_outcome(outcome, folder)


@exit_handler
def TellWebhook(  # noqa: N802 - TFX names a component as a class.
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
    if untold := post_outcome(outcome, ScheduleConfig(webhook_on=tuple(json.loads(webhook_on)))):
        _LOG.error("%s", untold)
    shutil.rmtree(folder, ignore_errors=True)


def ended(folder: Path, pipeline: str, run_id: str) -> RunOutcome:
    """Returns what came of a run, by what its steps left in its folder."""
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


def _infra_refusal(blessing: Artifact | None) -> list[str]:
    if blessing is None or blessing.get_int_custom_property(BLESSED_PROPERTY):
        return []
    return [f"infra validator: {blessing.get_string_custom_property(REASON_PROPERTY)}"]


def _destination(pushed: Artifact) -> Path | None:
    if not pushed.get_int_custom_property("pushed"):
        return None
    return Path(pushed.get_string_custom_property("pushed_destination"))
