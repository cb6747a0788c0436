"""Which runs a prune keeps, and why."""

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.history import killed_runs
from pipeline.home import Home
from pipeline.outcome import BEGUN_FILE, RunOutcome
from serving.push_directory.layout import list_versions, pushed_models
from serving.push_directory.manifest import read_manifest

NEWEST = "one of the newest"

_UNDER_WAY = datetime.timedelta(days=7)
"""How long nothing may change in the folder of a scheduler's run until it counts as killed."""


def reasons_to_keep(
    pipeline: str, past: Sequence[RunOutcome], keep: int, pushed: Mapping[str, str]
) -> dict[str, str]:
    """Returns the runs that stay, with one reason each.

    Beside the newest, these are the runs that a later one depends on: the last with a verdict (its
    cache is used), the last blessed (the next model is compared with its model), those that pushed
    a version that is still there, and those that refused a span which would else be read again.
    Interrupted runs do not count and go, but for the newest of all.

    Args:
        pipeline: Name of the pipeline.
        past: Runs of all pipelines, newest first.
        keep: How many of the newest stay.
        pushed: `pushed_by_runs` of the push directory.
    """
    runs = [outcome for outcome in past if outcome.pipeline == pipeline]
    counted = [outcome for outcome in runs if outcome.status != "interrupted"]
    reasons = {outcome.run_id: NEWEST for outcome in (*runs[:1], *counted[:keep])}
    for run_id, version in pushed.items():
        reasons.setdefault(run_id, f"{version} came from it")
    for outcome in _first(run for run in runs if run.blessed):
        reasons.setdefault(outcome.run_id, "the next model is compared with the one it made")
    for outcome in _first(run for run in counted if run.status != "failed"):
        reasons.setdefault(outcome.run_id, "the next run takes finished stages from it")
    judged_spans: set[int] = set()
    for outcome in runs:
        if outcome.data is None or not outcome.data.spans:
            continue
        newest = outcome.data.spans[-1]
        if newest.number not in judged_spans and outcome.status in ("data_refused", "failed"):
            reasons.setdefault(outcome.run_id, f"it refused span {newest.name}")
        judged_spans.add(newest.number)
    return reasons


def pushed_by_runs(home: Home) -> dict[str, str]:
    """Returns MODEL/VERSION by the run that pushed it, for each version in the push directory."""
    return {
        str(run_id): f"{folder.name}/{version}"
        for folder in pushed_models(home.push_root)
        for version in list_versions(folder)
        if (run_id := read_manifest(folder / str(version)).get("run_id"))
    }


def abandoned_runs(home: Home, pipeline: str) -> list[Path]:
    """Returns the folders of a pipeline's killed runs, oldest first.

    Call it while holding the pipeline's lock: a local run is not under way then. A scheduler's run
    frees the lock between its tasks, so it counts as killed after a week without a change.
    """
    name = re.compile(rf"{re.escape(pipeline)}-\d{{8}}T\d{{6}}-[0-9a-f]{{4}}")
    return [
        folder
        for folder in killed_runs(home)
        if name.fullmatch(folder.name) and not _may_go_on(folder)
    ]


def _may_go_on(folder: Path) -> bool:
    if not (folder / BEGUN_FILE).exists():
        return False
    changed = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    now = datetime.datetime.now(datetime.UTC).timestamp()
    return now - changed < _UNDER_WAY.total_seconds()


def _first(runs: Iterable[RunOutcome]) -> list[RunOutcome]:
    return next(([run] for run in runs), [])
