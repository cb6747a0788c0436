"""Past runs, from their folders."""

import difflib
from pathlib import Path

from pipeline.home import Home
from pipeline.run.outcome import OUTCOME_FILE, RunOutcome, recorded_number
from pipeline.run.record import recorded_outcome
from pipeline_config import UserInputError


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
