"""Removes old runs of a pipeline, and what they alone have left."""

import dataclasses
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.home import Home
from pipeline.metadata_file import require_usable
from pipeline.run.history import killed_runs, past_runs
from pipeline.run.outcome import RunOutcome
from pipeline.unused_artifacts import driver_folders, mark_deleted, unused_artifacts
from pipeline_config import PipelineConfig, UserInputError
from serving.push_directory.layout import list_versions, pushed_models
from serving.push_directory.manifest import read_manifest

_NEWEST = "one of the newest"


@dataclasses.dataclass(frozen=True)
class Pruned:
    """What a prune of one pipeline came to, or would come to.

    Attributes:
        pipeline: Name of the pipeline.
        removed: Runs that were removed, newest first.
        killed: Runs that were killed or interrupted, and were removed.
        kept: Older runs that stay -> why.
        freed_bytes: Size of all files that were removed.
    """

    pipeline: str
    removed: list[str]
    killed: list[str]
    kept: dict[str, str]
    freed_bytes: int


def prune_runs(home: Home, pipeline: str, keep: int, *, dry_run: bool = False) -> Pruned:
    """Removes all runs of a pipeline but the newest, and those that something depends on.

    Call it while holding the pipeline's lock. MLMD keeps its rows and marks the artifacts as
    deleted before the first folder goes, so that a prune that is killed is finished by the next.

    Args:
        home: Output folder.
        pipeline: Name of the pipeline.
        keep: How many of the newest runs stay; 1 or more.
        dry_run: Only find out what would go.

    Raises:
        UserInputError: The metadata file cannot be used, or something cannot be removed.
    """
    past = past_runs(home)
    pushed = _pushed_by_runs(home)
    status = {outcome.run_id: outcome.status for outcome in past if outcome.pipeline == pipeline}
    runs = list(status)
    reasons = _reasons_to_keep(pipeline, past, keep, pushed)
    going = [run_id for run_id in runs if run_id not in reasons]
    removed = [run_id for run_id in going if status[run_id] != "interrupted"]
    killed = [run_id for run_id in going if status[run_id] == "interrupted"]
    killed += [f.name for f in _abandoned_runs(home, pipeline) if f.name not in pushed]
    folders = [home.runs / run_id for run_id in (*removed, *killed)]
    require_usable(home, pipeline, writing=not dry_run)
    path, artifacts = home.metadata_path(pipeline), home.artifacts(pipeline)
    if path.exists() and path.stat().st_size:
        from pipeline.run.lineage import open_store

        store = open_store(str(path))
        there = {*pushed, *(folder.name for folder in home.runs.iterdir())} if runs else None
        unused = unused_artifacts(store, artifacts, {*removed, *killed}, there)
        folders = [*unused.folders, *driver_folders(artifacts), *folders]
        if not dry_run:
            mark_deleted(store, unused.artifacts)
    freed = sum(_size(folder) for folder in folders)
    if not dry_run:
        for folder in folders:
            _remove(folder)
    return Pruned(
        pipeline=pipeline,
        removed=removed,
        killed=killed,
        kept={
            run_id: reasons[run_id] for run_id in runs if reasons.get(run_id, _NEWEST) != _NEWEST
        },
        freed_bytes=freed,
    )


def prune_after_run(outcome: RunOutcome, config: PipelineConfig, home: Home) -> str | None:
    """Removes old runs when one has ended well, if `schedule.keep_runs` says so.

    Call it while holding the pipeline's lock.

    Returns:
        One line if they cannot be removed, else None. The run itself has ended well.
    """
    keep = config.schedule.keep_runs
    if keep == 0 or outcome.status in ("failed", "interrupted"):
        return None
    try:
        prune_runs(home, config.name, keep)
    except UserInputError as error:
        return f"old runs stay: {error}"
    return None


def _reasons_to_keep(
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
        pushed: `_pushed_by_runs` of the push directory.
    """
    runs = [outcome for outcome in past if outcome.pipeline == pipeline]
    counted = [outcome for outcome in runs if outcome.status != "interrupted"]
    reasons = {outcome.run_id: _NEWEST for outcome in (*runs[:1], *counted[:keep])}
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


def _pushed_by_runs(home: Home) -> dict[str, str]:
    """Returns MODEL/VERSION by the run that pushed it, for each version in the push directory."""
    return {
        str(run_id): f"{folder.name}/{version}"
        for folder in pushed_models(home.push_root)
        for version in list_versions(folder)
        if (run_id := read_manifest(folder / str(version)).get("run_id"))
    }


def _abandoned_runs(home: Home, pipeline: str) -> list[Path]:
    """Returns the folders of a pipeline's killed runs that have no record, oldest first.

    Call it while holding the pipeline's lock: no run is under way then.
    """
    name = re.compile(rf"{re.escape(pipeline)}-\d{{8}}T\d{{6}}-[0-9a-f]{{4}}")
    return [folder for folder in killed_runs(home) if name.fullmatch(folder.name)]


def _first(runs: Iterable[RunOutcome]) -> list[RunOutcome]:
    return next(([run] for run in runs), [])


def _size(folder: Path) -> int:
    return sum(
        Path(parent, name).lstat().st_size for parent, _, names in os.walk(folder) for name in names
    )


def _remove(folder: Path) -> None:
    try:
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise UserInputError(
            f"{error.filename or folder}: cannot be removed: {error.strerror or error}; "
            "mend that, and prune again"
        ) from error
