"""The end of a run: what it came to or failed of, its report, and who is notified."""

import contextlib
import dataclasses
import logging

from pipeline.environment import home_fault
from pipeline.home import Home, unwritable
from pipeline.metadata_file import find_fault, held_by_another
from pipeline.run import failures
from pipeline.run.outcome import RunOutcome, Status, write_outcome
from pipeline.run.record import RunRecord
from pipeline.run.webhook import post_outcome
from pipeline_config import PipelineConfig, ScheduleConfig


def record_failure(record: RunRecord, step: str, error: Exception) -> tuple[Status, str]:
    """Records and returns the status and the reason of a step that failed; raises a bug again."""
    outcome = record.outcome
    status, reason = classify(error, record.home, outcome.pipeline, outcome.run_id)
    record.fail(step, status, reason)
    return status, reason


def end_run(record: RunRecord, config: PipelineConfig, *, total_seconds: float) -> RunOutcome:
    """Records what came of a run, with its report, and closes the record.

    Args:
        record: The run's.
        config: Its pipeline.
        total_seconds: How long the run took.
    """
    if not record.failures and record.outcome.status == "interrupted":
        try:
            _collect(record)
        except Exception as error:
            record_failure(record, "end", error)
    record.settle()
    seconds = record.outcome.seconds | {"total": round(total_seconds, 3)}
    record.outcome = dataclasses.replace(record.outcome, seconds=seconds)
    if record.outcome.status != "failed":
        _write_report(record, config)
    try:
        record.close()
    except OSError as error:
        # If the run failed, this is what of, and it is reported.
        if record.outcome.status != "failed":
            record.notice(
                f"no record of the run could be written: {unwritable(record.home.root, error)}"
            )
    return record.outcome


def notify(outcome: RunOutcome, schedule: ScheduleConfig, home: Home) -> RunOutcome:
    """Posts a run's end to the webhook; returns the outcome, with a notice if that failed."""
    failure = post_outcome(outcome, schedule)
    if failure is None:
        return outcome
    outcome = dataclasses.replace(outcome, notices=[*outcome.notices, failure])
    if outcome.log and outcome.status != "no new data":
        with contextlib.suppress(OSError):
            write_outcome(outcome, home.runs / outcome.run_id)
    return outcome


def classify(
    error: Exception, home: Home, pipeline: str, run_id: str | None = None
) -> tuple[Status, str]:
    """Returns status and reason of a refusal or a user's mistake; raises a bug again."""
    if refusal := failures.gate_refusal(error):
        return "data_refused", refusal
    if mistake := failures.user_mistake(error):
        return "failed", mistake
    # MLMD has no one error for a file that was damaged or lost while it was open: of a deleted one
    # it says that it is read-only.
    own = (home.runs / run_id,) if run_id else ()
    begun = (*own, home.metadata_path(pipeline).parent, home.artifacts(pipeline))
    if all(folder.exists() for folder in (home.root, *begun)):
        fault = find_fault(home, pipeline)
        if fault is not None and fault.repairable:
            return "failed", fault.line
    else:
        fault = None
    if line := home_fault(error, home.root, (*begun, home.push_root)):
        return "failed", line
    if failures.held_database(error):
        return "failed", held_by_another(home.metadata_path(pipeline)).line
    if fault is not None:
        return "failed", fault.line
    raise error


def _collect(record: RunRecord) -> None:
    from pipeline.run.collect import collect_outcome
    from pipeline.run.compiled import read_compiled, stage_graph

    try:
        stages = list(stage_graph(read_compiled(record.directory)))
    except FileNotFoundError:
        stages = ["begin"]
    for stage in stages:
        if stage not in record.outcome.seconds:
            reason = f"{stage} ended without a reason: killed? See {record.outcome.log}"
            record.fail(stage, "failed", reason)
            return
    record.outcome = collect_outcome(record.outcome, record.home)


def _write_report(record: RunRecord, config: PipelineConfig) -> None:
    """Writes the HTML report; one that fails is reported, but is not worth a whole run."""
    from pipeline.report.page import write_report
    from pipeline.run.lineage import open_store

    outcome = record.outcome
    try:
        store = open_store(str(record.home.metadata_path(config.name)))
        report = write_report(outcome, config, store, record.directory)
    except Exception:
        logging.exception("no report of run %s", outcome.run_id)
        notice = f"no report could be written: see {outcome.log}"
        record.outcome = dataclasses.replace(outcome, notices=[*outcome.notices, notice])
    else:
        record.outcome = dataclasses.replace(outcome, report=str(report))
