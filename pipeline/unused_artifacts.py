"""Artifacts that only pruned runs have read or written: in MLMD, and their folders."""

import dataclasses
from collections.abc import Collection
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto.metadata_store_pb2 import Artifact, Event

from pipeline.metadata_file import execution_folders

_TAIL = 3
"""Parts of an output's path below the pipeline's artifacts: STAGE/OUTPUT/NUMBER."""


@dataclasses.dataclass(frozen=True)
class UnusedArtifacts:
    """What no remaining run has read or written.

    Attributes:
        artifacts: MLMD's, those included that are marked as deleted already.
        folders: Outputs and TFX's own folders of executions of pruned runs alone.
    """

    artifacts: list[Artifact]
    folders: list[Path]


def unused_artifacts(
    store: MetadataStore, root: Path, runs: Collection[str], there: Collection[str] | None
) -> UnusedArtifacts:
    """Returns the artifacts of pruned runs.

    An artifact stays if a remaining run has taken it from the cache, or has read it.

    Args:
        store: Metadata of the pipeline.
        root: The pipeline's artifacts.
        runs: Names of the pruned runs.
        there: Names of all runs that have a folder: a run in MLMD without one was pruned before.
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
    return UnusedArtifacts(
        artifacts=_artifacts(store, written - used),
        folders=[
            folder
            for folder in execution_folders(root)
            if folder.is_dir()
            and int(folder.name) in of_pruned
            and folder.parts[-_TAIL:] not in kept_folders
        ],
    )


def mark_deleted(store: MetadataStore, artifacts: Collection[Artifact]) -> None:
    """Sets the state of artifacts in MLMD, so that no cache and no resolver takes them."""
    live = [artifact for artifact in artifacts if artifact.state != Artifact.DELETED]
    for artifact in live:
        artifact.state = Artifact.DELETED
    if live:
        store.put_artifacts(live)


def driver_folders(root: Path) -> list[Path]:
    """Returns the folders of TFX's drivers, which are not needed once their stage has ended."""
    return list(root.glob("*/.system/driver_execution/*"))


def _tails(uri: Path) -> list[tuple[str, ...]]:
    """Returns the last parts of a path and of those above it: a home may have moved since."""
    return [path.parts[-_TAIL:] for path in (uri, *uri.parents[:2])]


def _events(store: MetadataStore, executions: Collection[int]) -> list[Event]:
    return list(store.get_events_by_execution_ids(sorted(executions))) if executions else []


def _artifacts(store: MetadataStore, ids: Collection[int]) -> list[Artifact]:
    return list(store.get_artifacts_by_id(sorted(ids))) if ids else []
