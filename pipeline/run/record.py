"""One record a run, opened at its start and closed at its end.

It is opened as that of an interrupted run and holds the room for its last form, so it is right
whatever ends the process, and can be closed on a disk that is full by then. What a run has pushed
is also in the version's own manifest, which counts more than a failure or an open record.

A run whose stages are processes of their own has its state here: what has ended, and what failed.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.home import Home, unwritable
from pipeline.run.outcome import (
    LOG_FILE,
    OUTCOME_FILE,
    RunOutcome,
    Status,
    outcome_text,
    read_outcome,
    reserve_outcome,
    write_outcome,
)
from pipeline.supervisor import Interruption, tell_supervisor
from pipeline_config import ScheduleConfig, UserInputError
from serving.push_directory.durable_files import write_text
from serving.push_directory.manifest import pushed_by, read_manifest

_NOT_CLOSED = "its process ended before the run did, by a kill or with the machine"

_FAILURES_KEY = "failures"
"""Key of an open `run.json` whose stages are processes of their own: step -> status and reason."""

_DAYS_UNDER_WAY = 7
"""How long the record of such a run may stay as it is until the run counts as killed."""


class RunRecord:
    """The outcome of a run so far, and the file that keeps it.

    Attributes:
        home: The output folder.
        outcome: What is known of the run; its status is `interrupted` until it has ended.
        failures: Step -> status and reason of its failure, the first one first.
        by_steps: Whether each step of the run is a process of its own.
    """

    def __init__(self, home: Home, outcome: RunOutcome, *, by_steps: bool = False) -> None:
        self.home = home
        self.outcome = outcome
        self.failures: dict[str, tuple[Status, str]] = {}
        self.by_steps = by_steps

    @property
    def directory(self) -> Path:
        """The run's folder."""
        return self.home.runs / self.outcome.run_id

    @property
    def log(self) -> Path:
        """The run's log file."""
        return self.directory / LOG_FILE

    def update(self, **changes: Any) -> None:
        """Changes fields of the outcome; on a full disk the file may stay behind."""
        self.outcome = dataclasses.replace(self.outcome, **changes)
        beside = {_FAILURES_KEY: self.failures} if self.by_steps else {}
        with contextlib.suppress(OSError):
            text = outcome_text(self.outcome, self.directory, **beside)
            write_text(self.directory / OUTCOME_FILE, text)

    def fail(self, step: str, status: Status, reason: str) -> None:
        """Records why a step of the run failed."""
        self.failures[step] = status, reason
        self.update()

    def reopen(self, step: str) -> None:
        """Takes a run for one that goes on, and forgets the failure of a step that begins again."""
        self.failures.pop(step, None)
        self.update(status="interrupted", reasons=[_NOT_CLOSED])

    def notice(self, notice: str) -> None:
        """Adds a notice to the outcome."""
        self.update(notices=[*self.outcome.notices, notice])

    def settle(self) -> RunOutcome:
        """Returns the outcome after its first failure and its push, if there were any."""
        for status, reason in list(self.failures.values())[:1]:
            self.outcome = dataclasses.replace(self.outcome, status=status, reasons=[reason])
            self.outcome = pushed_outcome(self.outcome, self.home.push_root) or self.outcome
        self.failures = {}
        return self.outcome

    def close(self) -> None:
        """Writes what came of the run.

        Raises:
            OSError: It cannot be written.
        """
        write_outcome(self.settle(), self.directory)


@contextlib.contextmanager
def open_record(
    home: Home, outcome: RunOutcome, schedule: ScheduleConfig, *, by_steps: bool = False
) -> Iterator[RunRecord]:
    """Opens the record of a run, and holds the run's folder.

    An exception that nobody has caught within is a bug, and is recorded as one.

    Args:
        home: The output folder.
        outcome: What is known at the start.
        schedule: Says which webhook is posted to if the run is interrupted.
        by_steps: Whether each step of the run is a process of its own.

    Raises:
        UserInputError: The run's folder cannot be written to.
    """
    opened = dataclasses.replace(outcome, status="interrupted", reasons=[_NOT_CLOSED])
    record = RunRecord(home, opened, by_steps=by_steps)
    directory = str(record.directory)
    webhook = [schedule.webhook_url, schedule.webhook_on]
    with _held(record):
        try:
            write_outcome(opened, record.directory)
            reserve_outcome(record.directory)
        except OSError as error:
            raise UserInputError(unwritable(home.root, error)) from error
        if by_steps:
            record.update()
        tell_supervisor(run=directory, push_root=str(home.push_root), webhook=webhook)
        try:
            yield record
        except Exception as error:
            if not record.failures:
                record.fail("run", "failed", bug(error))
            if not by_steps:
                with contextlib.suppress(OSError):
                    record.close()
            raise
        tell_supervisor(ended=directory)


@contextlib.contextmanager
def resume_record(home: Home, run_id: str) -> Iterator[RunRecord]:
    """Holds the folder of a run that was begun in another process.

    Raises:
        OSError: There is no such run, or it cannot be read.
        ValueError: Its `run.json` is not the record of a run.
    """
    directory = home.runs / run_id
    record = RunRecord(home, read_outcome(directory), by_steps=True)
    kept = json.loads((directory / OUTCOME_FILE).read_text()).get(_FAILURES_KEY, {})
    record.failures = {step: (status, reason) for step, (status, reason) in kept.items()}
    with _held(record):
        yield record


@contextlib.contextmanager
def _held(record: RunRecord) -> Iterator[None]:
    """Locks the run's folder, which is made if it is missing."""
    try:
        record.directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(record.directory, os.O_RDONLY)
    except OSError as error:
        raise UserInputError(unwritable(record.home.root, error)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def bug(error: BaseException) -> str:
    """Returns the reason of a run that ended with an error of the program."""
    return f"a bug in aepipe: {type(error).__name__}: {error}"


def is_running(directory: Path) -> bool:
    """Returns whether a run goes on: a process holds its folder, or the next step may follow."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    record = directory / OUTCOME_FILE
    idle_days = (time.time() - record.stat().st_mtime) / 86_400
    return _FAILURES_KEY in json.loads(record.read_text()) and idle_days < _DAYS_UNDER_WAY


def recorded_outcome(directory: Path, push_root: Path) -> RunOutcome | None:
    """Returns what came of a run by its folder; None if it goes on now.

    Raises:
        OSError: There is no record, or it cannot be read.
        ValueError: It is not the record of a run.
    """
    outcome = read_outcome(directory)
    if outcome.status != "interrupted":
        return outcome
    if is_running(directory):
        return None
    return pushed_outcome(outcome, push_root) or outcome


def pushed_outcome(outcome: RunOutcome, push_root: Path) -> RunOutcome | None:
    """Returns the outcome of a run that ended badly after its push; None if it did not push.

    Args:
        outcome: What is known otherwise.
        push_root: The push directory.
    """
    version = _pushed_version(push_root, outcome.run_id)
    if version is None:
        return None
    manifest = read_manifest(version)
    notice = f"the run ended after its push: {'; '.join(outcome.reasons)}"
    return dataclasses.replace(
        outcome,
        status="pushed",
        reasons=[],
        notices=[*outcome.notices, notice],
        metrics=manifest.get("metrics", {}),
        threshold=manifest.get("threshold"),
        blessed=True,
        pushed=str(version),
    )


def _pushed_version(push_root: Path, run_id: str) -> Path | None:
    # A push directory that cannot be read is the run's own fault to report, not this one's.
    with contextlib.suppress(OSError):
        for model_directory in sorted(push_root.iterdir()):
            if version := pushed_by(model_directory, run_id):
                return version
    return None


def settle_records(runs: Path, push_root: Path) -> None:
    """Closes the records of runs that were killed after their push.

    Their versions may be removed one day, so what these say is kept.
    """
    for directory in runs.iterdir():
        with contextlib.suppress(OSError, ValueError):
            if read_outcome(directory).status == "interrupted":
                outcome = recorded_outcome(directory, push_root)
                if outcome is not None and outcome.status == "pushed":
                    write_outcome(outcome, directory)


def close_interrupted(interruption: Interruption) -> list[tuple[RunOutcome, ScheduleConfig | None]]:
    """Closes the record of the run that was interrupted.

    Returns:
        What came of the command's runs, in order, and which webhook each has to be posted to; None
        for a run that ended before, as that has been posted.
    """
    ended = {message["ended"] for message in interruption.messages if "ended" in message}
    begun = [message for message in interruption.messages if "run" in message]
    last = interruption.messages[-1].get("stage") if interruption.messages else None
    found: list[tuple[RunOutcome, ScheduleConfig | None]] = []
    for message in begun:
        directory = Path(message["run"])
        url, ends = message["webhook"]
        with contextlib.suppress(OSError, ValueError):
            outcome = read_outcome(directory)
            webhook = None
            if message["run"] not in ended:
                webhook = ScheduleConfig(webhook_url=url, webhook_on=tuple(ends))
            if webhook and outcome.status == "interrupted":
                outcome = _interrupted(outcome, interruption, last)
                outcome = pushed_outcome(outcome, Path(message["push_root"])) or outcome
                with contextlib.suppress(OSError):
                    write_outcome(outcome, directory)
            found.append((outcome, webhook))
    return found


def _interrupted(outcome: RunOutcome, interruption: Interruption, stage: str | None) -> RunOutcome:
    place = f" in {stage}" if stage else ""
    return dataclasses.replace(
        outcome,
        status="interrupted" if interruption.asked_for else "failed",
        reasons=[f"{interruption.reason}{place}; see {outcome.log}"],
    )
