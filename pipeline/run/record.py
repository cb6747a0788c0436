"""One record a run, opened at its start and closed at its end.

It is opened as that of an interrupted run and holds the room for its last form, so it is right
whatever ends the process, and can be closed on a disk that is full by then. A push is also in the
version's own manifest, which counts more than a failure or an open record.

A run whose stages are processes of their own has its state here: what has ended, and what failed.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.home import Home, unwritable
from pipeline.run.history import FAILURES_KEY, after_push
from pipeline.run.outcome import (
    LOG_FILE,
    OUTCOME_FILE,
    RunOutcome,
    Status,
    read_outcome,
    write_outcome,
)
from pipeline.supervisor import notify_supervisor
from pipeline_config import UserInputError

_NOT_CLOSED = "its process ended before the run did, by a kill or with the machine"


@dataclasses.dataclass
class RunRecord:
    """The outcome of a run so far, and the file that keeps it.

    Attributes:
        home: The output folder.
        outcome: The run so far; its status is `interrupted` until it has ended.
        by_steps: Whether each step of the run is a process of its own.
        failures: Step -> status and reason of its failure, the first one first.
    """

    home: Home
    outcome: RunOutcome
    by_steps: bool = False
    failures: dict[str, tuple[Status, str]] = dataclasses.field(default_factory=dict)

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
        self.change(**changes)
        with contextlib.suppress(OSError):
            self._save()

    def change(self, **changes: Any) -> None:
        """Changes fields of the outcome, for the next write."""
        self.outcome = dataclasses.replace(self.outcome, **changes)

    def add_notice(self, notice: str) -> None:
        """Adds a notice to the outcome."""
        self.update(notices=[*self.outcome.notices, notice])

    def fail(self, step: str, status: Status, reason: str) -> None:
        """Records why a step of the run failed."""
        self.failures[step] = status, reason
        self.update()

    def reopen(self, step: str) -> None:
        """Marks the run as under way, and forgets the failure of a step that begins again."""
        self.failures.pop(step, None)
        self.update(status="interrupted", reasons=[_NOT_CLOSED])

    def settle(self) -> None:
        """Takes the first failure as the outcome, unless the run had pushed by then."""
        for status, reason in list(self.failures.values())[:1]:
            self.change(status=status, reasons=[reason])
            self.outcome = after_push(self.outcome, self.home)
        self.failures = {}

    def close(self) -> None:
        """Writes the outcome of the run.

        Raises:
            OSError: It cannot be written.
        """
        self.settle()
        write_outcome(self.outcome, self.directory)

    def _save(self) -> None:
        is_open = self.outcome.status == "interrupted"
        beside = {FAILURES_KEY: self.failures} if is_open and self.by_steps else {}
        write_outcome(self.outcome, self.directory, reserve=is_open, **beside)


@contextlib.contextmanager
def open_record(
    home: Home, pipeline: str, run_id: str, *, by_steps: bool = False
) -> Iterator[RunRecord]:
    """Opens the record of a run, and holds the run's folder.

    An exception that is not caught within is a bug, and is recorded as one.

    Raises:
        UserInputError: The run's folder cannot be written to.
    """
    opened = RunOutcome(pipeline, run_id, "interrupted", reasons=[_NOT_CLOSED])
    record = RunRecord(home, opened, by_steps=by_steps)
    record.change(log=str(record.log))
    with _held(record):
        try:
            record._save()
        except OSError as error:
            raise UserInputError(unwritable(home.root, error)) from error
        notify_supervisor(run=run_id)
        try:
            yield record
        except Exception as error:
            if not record.failures:
                record.fail("run", "failed", bug(error))
            if not by_steps:
                with contextlib.suppress(OSError):
                    record.close()
            raise


@contextlib.contextmanager
def resume_record(home: Home, run_id: str) -> Iterator[RunRecord]:
    """Holds the folder of a run that was begun in another process.

    Raises:
        OSError: There is no such run, or it cannot be read.
        ValueError: Its `run.json` is not the record of a run.
    """
    directory = home.runs / run_id
    kept = json.loads((directory / OUTCOME_FILE).read_text()).get(FAILURES_KEY, {})
    failures = {step: (status, reason) for step, (status, reason) in kept.items()}
    record = RunRecord(home, read_outcome(directory), by_steps=True, failures=failures)
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
