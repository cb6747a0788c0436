"""The end of a run: its outcome, its report, and the webhook."""

import contextlib
import dataclasses
import logging

from pipeline.home import Home, unwritable
from pipeline.run.failures import classify
from pipeline.run.history import after_push
from pipeline.run.outcome import RunOutcome, Status, read_outcome, write_outcome
from pipeline.run.record import RunRecord
from pipeline.run.webhook import post_outcome
from pipeline.supervisor import Interruption
from pipeline_config import PipelineConfig, ScheduleConfig


def record_failure(record: RunRecord, step: str, error: Exception) -> tuple[Status, str]:
    """Records and returns the status and the reason of a step that failed; raises a bug again."""
    outcome = record.outcome
    status, reason = classify(error, record.home, outcome.pipeline, outcome.run_id)
    record.fail(step, status, reason)
    return status, reason


def end_run(record: RunRecord, config: PipelineConfig, *, total_seconds: float) -> RunOutcome:
    """Records the outcome of a run, writes its report, and closes the record.

    Args:
        record: Of the run.
        config: Its pipeline.
        total_seconds: How long the run took.
    """
    if not record.failures and record.outcome.status == "interrupted":
        try:
            _collect(record)
        except Exception as error:
            record_failure(record, "end", error)
    record.settle()
    record.change(seconds=record.outcome.seconds | {"total": round(total_seconds, 3)})
    if record.outcome.status != "failed":
        _write_report(record, config)
    try:
        record.close()
    except OSError as error:
        # Of a run that failed, this is the reason, which is reported already.
        if record.outcome.status != "failed":
            fault = unwritable(record.home.root, error)
            record.add_notice(f"no record of the run could be written: {fault}")
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


def close_interrupted(home: Home, interruption: Interruption) -> tuple[list[RunOutcome], bool]:
    """Closes the record of the run that was interrupted, the last of its command.

    Returns:
        The outcomes of the command's runs, in order, and whether the last one was interrupted.
    """
    stage = interruption.messages[-1].get("stage") if interruption.messages else None
    outcomes: list[RunOutcome] = []
    was_open = False
    for run_id in (message["run"] for message in interruption.messages if "run" in message):
        with contextlib.suppress(OSError, ValueError):
            outcomes.append(read_outcome(home.runs / run_id))
            was_open = outcomes[-1].status == "interrupted"
    if was_open:
        last = outcomes[-1]
        place = f" in {stage}" if stage else ""
        outcomes[-1] = last = after_push(
            dataclasses.replace(
                last,
                status="interrupted" if interruption.asked_for else "failed",
                reasons=[f"{interruption.reason}{place}; see {last.log}"],
            ),
            home,
        )
        with contextlib.suppress(OSError):
            write_outcome(last, home.runs / last.run_id)
    return outcomes, was_open


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
        store = open_store(record.home, config.name)
        report = write_report(outcome, config, store, record.directory)
    except Exception:
        logging.exception("no report of run %s", outcome.run_id)
        record.add_notice(f"no report could be written: see {outcome.log}")
    else:
        record.change(report=str(report))
