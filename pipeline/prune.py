"""Removes old runs of a pipeline, and what they alone have left."""

import dataclasses
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto.metadata_store_pb2 import Artifact, Event

from pipeline.home import Home, size_of
from pipeline.metadata_file import execution_folders, require_usable
from pipeline.run.cached_outputs import mark_deleted
from pipeline.run.history import killed_runs, past_runs
from pipeline.run.lineage import open_store
from pipeline.run.outcome import RunOutcome
from pipeline_config import PipelineConfig, UserInputError
from serving.push_directory.layout import list_versions, pushed_models
from serving.push_directory.manifest import read_manifest
from serving.push_directory.threshold_change import run_of

_NEWEST = "one of the newest"

_TAIL = 3
"""Parts of an output's path below the pipeline's artifacts: STAGE/OUTPUT/NUMBER."""


@dataclasses.dataclass(frozen=True)
class Pruned:
    """The result of a prune of one pipeline, or of a dry run of it.

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
    reasons = _reasons_to_keep(pipeline, past, keep, pushed)
    going = [run_id for run_id in status if run_id not in reasons]
    removed = [run_id for run_id in going if status[run_id] != "interrupted"]
    killed = [run_id for run_id in going if status[run_id] == "interrupted"]
    killed += [f.name for f in _abandoned_runs(home, pipeline) if f.name not in pushed]
    folders = [home.runs / run_id for run_id in (*removed, *killed)]
    require_usable(home, pipeline, writing=not dry_run)
    path, artifacts = home.metadata_path(pipeline), home.artifacts(pipeline)
    if path.exists() and path.stat().st_size:
        store = open_store(home, pipeline)
        # A run in MLMD without a folder was pruned before, unless no run here has a record.
        there = {*pushed, *(folder.name for folder in home.runs.iterdir())} if status else None
        unused, outputs = _unused_artifacts(store, artifacts, {*removed, *killed}, there)
        # A stage that has ended needs its driver's folder no more.
        drivers = artifacts.glob("*/.system/driver_execution/*")
        folders = [*outputs, *drivers, *folders]
        if not dry_run:
            mark_deleted(store, unused)
    freed = sum(size_of(folder) for folder in folders)
    if not dry_run:
        for folder in folders:
            _remove(folder)
    kept = {run_id: reasons[run_id] for run_id in status if run_id in reasons}
    kept = {run_id: reason for run_id, reason in kept.items() if reason != _NEWEST}
    return Pruned(pipeline, removed, killed, kept, freed)


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
    if blessed := [run.run_id for run in runs if run.blessed]:
        reasons.setdefault(blessed[0], "the next model is compared with the one it made")
    if finished := [run.run_id for run in counted if run.status not in ("failed", "tuned")]:
        reasons.setdefault(finished[0], "the next run takes finished stages from it")
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
        if (run_id := run_of(read_manifest(folder / str(version))))
    }


def _abandoned_runs(home: Home, pipeline: str) -> list[Path]:
    """Returns the folders of a pipeline's killed runs that have no record, oldest first.

    Call it while holding the pipeline's lock: no run is under way then.
    """
    name = re.compile(rf"{re.escape(pipeline)}-\d{{8}}T\d{{6}}-[0-9a-f]{{4}}")
    return [folder for folder in killed_runs(home) if name.fullmatch(folder.name)]


def _unused_artifacts(
    store: MetadataStore, root: Path, runs: Collection[str], there: Collection[str] | None
) -> tuple[list[Artifact], list[Path]]:
    """Returns what no remaining run has read or written: MLMD's artifacts, and folders.

    An artifact stays if a remaining run has taken it from the cache, or has read it.

    Args:
        store: Metadata of the pipeline.
        root: The pipeline's artifacts.
        runs: Names of the pruned runs.
        there: Names of all runs that have a folder; those in MLMD without one count as pruned.
            None if that cannot be concluded.
    """
    of_pruned: set[int] = set()
    of_others: set[int] = set()
    for context in store.get_contexts_by_type("pipeline_run"):
        executions = {execution.id for execution in store.get_executions_by_context(context.id)}
        pruned_before = there is not None and context.name not in there
        pruned = pruned_before or context.name in runs
        (of_pruned if pruned else of_others).update(executions)
    of_pruned -= of_others
    used = {event.artifact_id for event in _events(store, of_others)}
    written = {
        event.artifact_id for event in _events(store, of_pruned) if event.type == Event.OUTPUT
    }
    kept_folders = {
        tail for artifact in _artifacts(store, used) for tail in _tails(Path(artifact.uri))
    }
    folders = [
        folder
        for folder in execution_folders(root)
        if folder.is_dir()
        and int(folder.name) in of_pruned
        and folder.parts[-_TAIL:] not in kept_folders
    ]
    return _artifacts(store, written - used), folders


def _tails(uri: Path) -> list[tuple[str, ...]]:
    """Returns the last parts of a path and of those above it: a home may have moved since."""
    return [path.parts[-_TAIL:] for path in (uri, *uri.parents[:2])]


def _events(store: MetadataStore, executions: Collection[int]) -> list[Event]:
    return list(store.get_events_by_execution_ids(sorted(executions))) if executions else []


def _artifacts(store: MetadataStore, ids: Collection[int]) -> list[Artifact]:
    return list(store.get_artifacts_by_id(sorted(ids))) if ids else []


def _remove(folder: Path) -> None:
    try:
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise UserInputError(
            f"{error.filename or folder}: cannot be removed: {error.strerror or error}; "
            "correct that, and prune again"
        ) from error
