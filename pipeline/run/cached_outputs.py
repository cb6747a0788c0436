"""Which results of earlier runs the cache may still hand out: those whose files are all there.

TFX asks whether an artifact's folder exists, not what is in it. So what a stage wrote is recorded
at its execution in MLMD, and before the next run an artifact that lost files is marked as deleted,
as TFX's own garbage collection does: neither its cache nor a Resolver takes it then, and the stage
runs again.
"""

import json
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto.metadata_store_pb2 import Artifact, Event, Execution, Value

from pipeline.run.lineage import open_store, run_executions
from serving.push_directory.integrity import damage_of
from serving.push_directory.layout import list_versions

FILES_PROPERTY = "output_files"
"""Custom property of an execution: sizes of the files of each output artifact, as JSON."""

_LOG = logging.getLogger(__name__)


def record_outputs(store: MetadataStore, run_id: str, stage: str) -> None:
    """Notes at a stage's executions which files they wrote; call it when the stage has ended.

    Args:
        store: The pipeline's.
        run_id: The run.
        stage: Name of the node.
    """
    executions = [
        execution
        for execution in run_executions(store, run_id).get(stage, [])
        if execution.last_known_state == Execution.COMPLETE
        and FILES_PROPERTY not in execution.custom_properties
    ]
    outputs = _outputs(store, executions)
    for execution in executions:
        sizes = {artifact.id: _file_sizes(artifact.uri) for artifact in outputs[execution.id]}
        execution.custom_properties[FILES_PROPERTY].string_value = json.dumps(sizes)
    if executions:
        store.put_executions(executions)


def mark_incomplete(metadata_path: Path) -> list[str]:
    """Marks artifacts as deleted that lost files, or whose pushed version is gone.

    Call it while holding the pipeline's lock, before a run.

    Returns:
        Their URIs.
    """
    if not metadata_path.exists():
        return []
    store = open_store(str(metadata_path))
    executions = [
        execution
        for execution in store.get_executions()
        if execution.last_known_state == Execution.COMPLETE
    ]
    outputs = _outputs(store, executions)
    incomplete = []
    for execution in executions:
        recorded = _recorded(execution)
        for artifact in outputs[execution.id]:
            if artifact.state == Artifact.LIVE and _is_incomplete(artifact, recorded):
                artifact.state = Artifact.DELETED
                incomplete.append(artifact)
    if incomplete:
        store.put_artifacts(incomplete)
    for artifact in incomplete:
        _LOG.info("files of %s are gone: its stage runs again when it is needed", artifact.uri)
    return [artifact.uri for artifact in incomplete]


def _outputs(store: MetadataStore, executions: Iterable[Execution]) -> Mapping[int, list[Artifact]]:
    """Returns the output artifacts by id of their execution."""
    ids = [execution.id for execution in executions]
    events = [
        event
        for event in (store.get_events_by_execution_ids(ids) if ids else [])
        if event.type == Event.OUTPUT
    ]
    by_id = {
        artifact.id: artifact
        for artifact in store.get_artifacts_by_id([event.artifact_id for event in events])
    }
    found: dict[int, list[Artifact]] = defaultdict(list)
    for event in events:
        found[event.execution_id].append(by_id[event.artifact_id])
    return found


def _recorded(execution: Execution) -> dict[str, dict[str, int]]:
    text = _text(execution.custom_properties, FILES_PROPERTY)
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
    destination = _text(artifact.custom_properties, "pushed_destination")
    if not destination:
        return False
    folder, number = Path(destination).parent, int(Path(destination).name)
    # A version that a newer one has replaced is pruned on purpose.
    followers = [version for version in list_versions(folder) if version >= number]
    return all(damage_of(folder / str(version)) is not None for version in followers)


def _split_folders(artifact: Artifact) -> set[str]:
    names = _text(artifact.properties, "split_names")
    return {f"Split-{name}" for name in json.loads(names or "[]")}


def _text(properties: Mapping[str, Value], name: str) -> str:
    # Reading a key that a protobuf map has not would add it.
    return str(properties[name].string_value) if name in properties else ""


def _file_sizes(uri: str) -> dict[str, int]:
    """Returns the size of each file of an artifact by its path in it."""
    return {
        Path(folder, name).relative_to(uri).as_posix(): Path(folder, name).stat().st_size
        for folder, _, names in os.walk(uri)
        for name in names
    }
