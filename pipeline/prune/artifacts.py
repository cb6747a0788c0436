"""The artifacts of runs that go: what MLMD lists of them, and their folders."""

import dataclasses
from collections.abc import Collection, Iterator
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto.metadata_store_pb2 import Artifact, Event

_TAIL = 3
"""An output lies at STAGE/OUTPUT/NUMBER below the pipeline's artifacts."""


@dataclasses.dataclass(frozen=True)
class DoomedArtifacts:
    """What no run that stays has read or written.

    Attributes:
        artifacts: MLMD's, those included that are marked as deleted already.
        folders: Outputs and TFX's own folders of executions that only doomed runs have.
    """

    artifacts: list[Artifact]
    folders: list[Path]


def doomed_artifacts(
    store: MetadataStore, root: Path, runs: Collection[str], there: Collection[str] | None
) -> DoomedArtifacts:
    """Finds the artifacts of runs that go.

    An artifact stays if a run that stays has taken it from the cache, or has read it.

    Args:
        store: Metadata of the pipeline.
        root: The pipeline's artifacts.
        runs: Names of the runs that go.
        there: Names of all runs that have a folder: one without it that MLMD lists went before.
            None if that cannot be concluded.
    """
    of_doomed: set[int] = set()
    of_others: set[int] = set()
    for context in store.get_contexts_by_type("pipeline_run"):
        executions = {execution.id for execution in store.get_executions_by_context(context.id)}
        went_before = there is not None and context.name not in there
        doomed = went_before or context.name in runs
        (of_doomed if doomed else of_others).update(executions)
    of_doomed -= of_others
    used = {event.artifact_id for event in _events(store, of_others)}
    written = {
        event.artifact_id for event in _events(store, of_doomed) if event.type == Event.OUTPUT
    }
    kept_folders = {
        tail for artifact in _artifacts(store, used) for tail in _tails(Path(artifact.uri))
    }
    return DoomedArtifacts(
        artifacts=_artifacts(store, written - used),
        folders=[
            folder
            for folder in _numbered_folders(root)
            if int(folder.name) in of_doomed and folder.parts[-_TAIL:] not in kept_folders
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
    """Returns the folders of TFX's drivers, which are of no use when their stage has ended."""
    return list(root.glob("*/.system/driver_execution/*"))


def _numbered_folders(root: Path) -> Iterator[Path]:
    for pattern in ("*/[!.]*/*", "*/.system/executor_execution/*"):
        for folder in root.glob(pattern):
            if folder.name.isascii() and folder.name.isdecimal() and folder.is_dir():
                yield folder


def _tails(uri: Path) -> list[tuple[str, ...]]:
    """Returns the last parts of a path and of those above it: a home may have moved since."""
    return [path.parts[-_TAIL:] for path in (uri, *uri.parents[:2])]


def _events(store: MetadataStore, executions: Collection[int]) -> list[Event]:
    return list(store.get_events_by_execution_ids(sorted(executions))) if executions else []


def _artifacts(store: MetadataStore, ids: Collection[int]) -> list[Artifact]:
    return list(store.get_artifacts_by_id(sorted(ids))) if ids else []
