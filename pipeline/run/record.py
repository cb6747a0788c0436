"""One record a run, opened at its start and closed at its end.

It is opened as that of an interrupted run and holds the room for its last form, so it is right
whatever ends the process, and can be closed on a disk that is full by then. What a run has pushed
is also in the version's own manifest, which counts more than an open record.
"""

import contextlib
import dataclasses
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.home import Home, unwritable
from pipeline.run.outcome import RunOutcome, read_outcome, reserve_outcome, write_outcome
from pipeline.supervisor import Interruption, tell_supervisor
from pipeline_config import ScheduleConfig, UserInputError
from serving.push_directory.manifest import pushed_by, read_manifest

_NOT_CLOSED = "its process ended before the run did, by a kill or with the machine"


@contextlib.contextmanager
def open_record(home: Home, outcome: RunOutcome, schedule: ScheduleConfig) -> Iterator[Path]:
    """Holds a run's folder, in which the run is recorded as interrupted until it has an outcome.

    Args:
        home: The output folder.
        outcome: What is known at the start.
        schedule: Says which webhook is posted to if the run is interrupted.

    Yields:
        The run's folder.

    Raises:
        UserInputError: It cannot be written to.
    """
    directory = home.runs / outcome.run_id
    try:
        descriptor = _opened(directory, outcome)
    except OSError as error:
        raise UserInputError(unwritable(home.root, error)) from error
    try:
        webhook = {"webhook_url": schedule.webhook_url, "webhook_on": schedule.webhook_on}
        tell_supervisor(run=str(directory), push_root=str(home.push_root), webhook=webhook)
        yield directory
        tell_supervisor(ended=str(directory))
    finally:
        os.close(descriptor)


def _opened(directory: Path, outcome: RunOutcome) -> int:
    """Returns a descriptor of the folder that holds its lock."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        opened = dataclasses.replace(outcome, status="interrupted", reasons=[_NOT_CLOSED])
        write_outcome(opened, directory)
        reserve_outcome(directory)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def is_running(directory: Path) -> bool:
    """Returns whether a process holds the run of a folder open."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


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


def close_interrupted(interruption: Interruption) -> list[tuple[RunOutcome, Mapping[str, Any]]]:
    """Closes the record of the run that was interrupted.

    Returns:
        What came of the command's runs, in order, and `webhook` of each as `open_record` got it.
        Of a run that ended before, there is no webhook: it has been posted to.
    """
    ended = {message["ended"] for message in interruption.messages if "ended" in message}
    begun = [message for message in interruption.messages if "run" in message]
    last = interruption.messages[-1].get("stage") if interruption.messages else None
    found: list[tuple[RunOutcome, Mapping[str, Any]]] = []
    for message in begun:
        directory, webhook = Path(message["run"]), message["webhook"]
        with contextlib.suppress(OSError, ValueError):
            outcome = read_outcome(directory)
            if message["run"] in ended:
                webhook = {}
            elif outcome.status == "interrupted":
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
