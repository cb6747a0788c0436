"""Which results of earlier runs the cache may still hand out: those whose files are all there.

TFX asks whether an artifact's folder exists, not what is in it. So what a stage wrote is recorded
at its execution in MLMD, and before the next run an artifact that lost files is marked as deleted,
as TFX's own garbage collection does: neither its cache nor a Resolver takes it then, and the stage
runs again.
"""

import json
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto.metadata_store_pb2 import Artifact, Execution

from pipeline.home import Home
from pipeline.run.lineage import open_store, outputs_of, text_property
from serving.push_directory.layout import list_versions
from serving.push_directory.manifest import damage_of

FILES_PROPERTY = "output_files"
"""Custom property of an execution: sizes of the files of each output artifact, as JSON."""

UNDER_WAY = (Execution.NEW, Execution.RUNNING)

_LOG = logging.getLogger(__name__)


def record_outputs(store: MetadataStore, executions: Iterable[Execution]) -> None:
    """Records at a stage's executions which files they wrote; call it when the stage has ended."""
    unrecorded = [
        execution
        for execution in executions
        if execution.last_known_state == Execution.COMPLETE
        and FILES_PROPERTY not in execution.custom_properties
    ]
    outputs = outputs_of(store, unrecorded)
    for execution in unrecorded:
        sizes = {
            artifact.id: _file_sizes(artifact.uri)
            for by, _, artifact in outputs
            if by == execution.id
        }
        execution.custom_properties[FILES_PROPERTY].string_value = json.dumps(sizes)
    if unrecorded:
        store.put_executions(unrecorded)


def mark_incomplete(home: Home, pipeline: str) -> list[str]:
    """Marks what earlier runs left behind, so that no run takes it.

    Executions that a killed run left as running become failed; artifacts that lost files, or whose
    pushed version is gone, become deleted. Call this while holding the pipeline's lock, before a
    run: nothing can be running then.

    Returns:
        The URIs of the artifacts.
    """
    if not home.metadata_path(pipeline).exists():
        return []
    store = open_store(home, pipeline)
    executions = store.get_executions()
    killed = [execution for execution in executions if execution.last_known_state in UNDER_WAY]
    for execution in killed:
        execution.last_known_state = Execution.FAILED
    if killed:
        store.put_executions(killed)
    complete = [
        execution for execution in executions if execution.last_known_state == Execution.COMPLETE
    ]
    recorded = {execution.id: _recorded(execution) for execution in complete}
    incomplete = [
        artifact
        for by, _, artifact in outputs_of(store, complete)
        if artifact.state == Artifact.LIVE and _is_incomplete(artifact, recorded[by])
    ]
    for artifact in incomplete:
        _LOG.info("files of %s are gone: its stage runs again when it is needed", artifact.uri)
    mark_deleted(store, incomplete)
    return [artifact.uri for artifact in incomplete]


def mark_deleted(store: MetadataStore, artifacts: Iterable[Artifact]) -> None:
    """Sets the state of artifacts in MLMD, so that no cache and no Resolver takes them."""
    present = [artifact for artifact in artifacts if artifact.state != Artifact.DELETED]
    for artifact in present:
        artifact.state = Artifact.DELETED
    if present:
        store.put_artifacts(present)


def _recorded(execution: Execution) -> dict[str, dict[str, int]]:
    text = text_property(execution.custom_properties, FILES_PROPERTY)
    recorded: dict[str, dict[str, int]] = json.loads(text or "{}")
    return recorded


def _is_incomplete(artifact: Artifact, recorded: Mapping[str, Mapping[str, int]]) -> bool:
    if not artifact.uri:
        return False
    if _is_pushed_and_gone(artifact):
        return True
    sizes = _file_sizes(artifact.uri)
    expected = recorded.get(str(artifact.id))
    if expected is None:
        # The stage was killed before its files were noted, or is older than the notes.
        return not sizes or not _split_folders(artifact) <= {name.split("/")[0] for name in sizes}
    return not Path(artifact.uri).exists() or not expected.items() <= sizes.items()


def _is_pushed_and_gone(artifact: Artifact) -> bool:
    destination = text_property(artifact.custom_properties, "pushed_destination")
    if not destination:
        return False
    folder, number = Path(destination).parent, int(Path(destination).name)
    # A version that a newer one has replaced is pruned on purpose.
    followers = [version for version in list_versions(folder) if version >= number]
    return all(damage_of(folder / str(version)) is not None for version in followers)


def _split_folders(artifact: Artifact) -> set[str]:
    names = text_property(artifact.properties, "split_names")
    return {f"Split-{name}" for name in json.loads(names or "[]")}


def _file_sizes(uri: str) -> dict[str, int]:
    """Returns the size of each file of an artifact by its path in it."""
    return {
        Path(folder, name).relative_to(uri).as_posix(): Path(folder, name).stat().st_size
        for folder, _, names in os.walk(uri)
        for name in names
    }
