"""Removes old runs of a pipeline, and what they alone have left."""

import dataclasses
import os
import shutil
from pathlib import Path

from pipeline.history import past_runs
from pipeline.home import Home
from pipeline.metadata_file import require_usable
from pipeline.outcome import RunOutcome
from pipeline.prune.artifacts import doomed_artifacts, driver_folders, mark_deleted
from pipeline.prune.kept_runs import NEWEST, abandoned_runs, pushed_by_runs, reasons_to_keep
from pipeline_config import PipelineConfig, UserInputError


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
    pushed = pushed_by_runs(home)
    status = {outcome.run_id: outcome.status for outcome in past if outcome.pipeline == pipeline}
    runs = list(status)
    reasons = reasons_to_keep(pipeline, past, keep, pushed)
    going = [run_id for run_id in runs if run_id not in reasons]
    removed = [run_id for run_id in going if status[run_id] != "interrupted"]
    killed = [run_id for run_id in going if status[run_id] == "interrupted"]
    killed += [f.name for f in abandoned_runs(home, pipeline) if f.name not in pushed]
    folders = [home.runs / run_id for run_id in (*removed, *killed)]
    require_usable(home, pipeline, writing=not dry_run)
    path, artifacts = home.metadata_path(pipeline), home.artifacts(pipeline)
    if path.exists() and path.stat().st_size:
        from pipeline.lineage import open_store

        store = open_store(str(path))
        there = {*pushed, *(folder.name for folder in home.runs.iterdir())} if runs else None
        doomed = doomed_artifacts(store, artifacts, {*removed, *killed}, there)
        folders = [*doomed.folders, *driver_folders(artifacts), *folders]
        if not dry_run:
            mark_deleted(store, doomed.artifacts)
    freed = sum(_size(folder) for folder in folders)
    if not dry_run:
        for folder in folders:
            _remove(folder)
    return Pruned(
        pipeline=pipeline,
        removed=removed,
        killed=killed,
        kept={run_id: reasons[run_id] for run_id in runs if reasons.get(run_id, NEWEST) != NEWEST},
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
