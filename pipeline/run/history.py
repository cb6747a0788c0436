"""Past runs, from their folders."""

import contextlib
import dataclasses
import difflib
import fcntl
import json
import os
import time
from pathlib import Path

from pipeline.home import Home
from pipeline.run.outcome import (
    OUTCOME_FILE,
    RunOutcome,
    read_outcome,
    recorded_number,
    write_outcome,
)
from pipeline_config import UserInputError
from serving.push_directory.manifest import read_manifest
from serving.push_directory.model_versions import pushed_by

FAILURES_KEY = "failures"
"""Key of an open `run.json` whose stages are processes of their own: step -> status and reason."""

_DAYS_UNDER_WAY = 7
"""How long the record of such a run may stay as it is until the run counts as killed."""


def past_runs(home: Home) -> list[RunOutcome]:
    """Returns the runs of all pipelines in an output folder, newest first.

    Their order is that of the numbers that they were recorded with: a clock may go wrong. Runs of
    before there were numbers come last, in the order of the times in their names.

    A run that goes on now is left out, and so is a folder without a readable `run.json`.
    """
    found = []
    for path in home.runs.glob(f"*/{OUTCOME_FILE}"):
        try:
            outcome = recorded_outcome(home, path.parent.name)
            recorded = path.stat().st_mtime
        except (OSError, ValueError):
            continue
        if outcome is not None:
            found.append((recorded_number(path), _started(outcome), recorded, outcome))
    return [outcome for *_, outcome in sorted(found, key=lambda run: run[:3], reverse=True)]


def killed_runs(home: Home) -> list[Path]:
    """Returns the folders of runs without an outcome: they were killed, or are under way."""
    return sorted(
        folder
        for folder in home.runs.glob("*-*T*-*")
        if folder.is_dir() and not (folder / OUTCOME_FILE).exists()
    )


def find_run(home: Home, run_id: str) -> RunOutcome:
    """Returns one run.

    Raises:
        UserInputError: There is no such run; the message names the nearest one.
    """
    runs = {outcome.run_id: outcome for outcome in past_runs(home)}
    if run_id in runs:
        return runs[run_id]
    if not runs:
        raise UserInputError(f"no run {run_id}: {home.root} holds none; start one with aepipe run")
    (nearest,) = difflib.get_close_matches(run_id, runs, n=1, cutoff=0.0)
    raise UserInputError(f"no run {run_id} in {home.root}; did you mean {nearest}?")


def _started(outcome: RunOutcome) -> str:
    """The UTC time within a run's name; a folder's own times do not survive a copy."""
    parts = outcome.run_id.rsplit("-", 2)
    return parts[1] if len(parts) == 3 else ""


def recorded_outcome(home: Home, run_id: str) -> RunOutcome | None:
    """Returns the outcome of a run; None if it goes on now.

    Raises:
        OSError: There is no record, or it cannot be read.
        ValueError: It is not the record of a run.
    """
    outcome = read_outcome(home.runs / run_id)
    if outcome.status != "interrupted":
        return outcome
    return None if _is_running(home.runs / run_id) else after_push(outcome, home)


def _is_running(directory: Path) -> bool:
    """Returns whether a process holds the run's folder, or the run's next step may follow."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    record = directory / OUTCOME_FILE
    idle_days = (time.time() - record.stat().st_mtime) / 86_400
    return FAILURES_KEY in json.loads(record.read_text()) and idle_days < _DAYS_UNDER_WAY


def after_push(outcome: RunOutcome, home: Home) -> RunOutcome:
    """Returns the outcome of a run that ended badly: a push, if it had pushed by then."""
    version = None
    # A push directory that cannot be read is the run's own fault to report, not this one's.
    with contextlib.suppress(OSError):
        models = sorted(home.push_root.iterdir())
        version = next(filter(None, (pushed_by(model, outcome.run_id) for model in models)), None)
    if version is None:
        return outcome
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


def close_killed(home: Home) -> None:
    """Closes the records of runs that were killed after their push.

    Their versions may be removed one day, so what these say is kept.
    """
    for directory in home.runs.iterdir():
        with contextlib.suppress(OSError, ValueError):
            if read_outcome(directory).status == "interrupted":
                outcome = recorded_outcome(home, directory.name)
                if outcome is not None and outcome.status == "pushed":
                    write_outcome(outcome, directory)
