"""Changes of what is served, recorded in MLMD beside the runs that pushed it.

The change itself is `versions.json` and has been made when it is recorded: a database that is
busy, as in the middle of a run, never stands in the way of a rollback.
"""

import getpass
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ml_metadata import MetadataStore, errors
from ml_metadata.proto.metadata_store_pb2 import Artifact, Event, Execution, ExecutionType

from pipeline.lineage import open_store
from pipeline.models.change import Change
from pipeline_config import UserInputError

_ATTEMPTS = 2
"""Each waits ten seconds and more for another process."""

_PUSHED_MODEL = "PushedModel"
"""TFX's name of the artifact type; to import it from there takes ten seconds."""


def execution_type(action: str) -> str:
    """Returns MLMD's type name of an action, such as `aepipe.ModelRollback`."""
    return f"aepipe.Model{action.capitalize()}"


def record_change(metadata_path: Path, change: Change) -> str | None:
    """Writes a change as an execution with the pushed models as its inputs.

    It belongs to no run and no pipeline node, so neither TFX's cache nor `aepipe runs` sees it.

    Args:
        metadata_path: MLMD's SQLite file of the pipeline that pushed the model.
        change: A change that has been made.

    Returns:
        None, or one line that says why it could not be recorded.
    """
    for _ in range(_ATTEMPTS):
        try:
            _put(open_store(str(metadata_path)), change)
        except UserInputError as error:
            line = str(error)
        except errors.StatusError as error:
            line = f"{metadata_path}: {str(error).splitlines()[0]}"
        else:
            return None
    return f"not recorded: {line}"


def _put(store: MetadataStore, change: Change) -> None:
    type_id = store.put_execution_type(ExecutionType(name=execution_type(change.action)))
    execution = Execution(type_id=type_id, last_known_state=Execution.COMPLETE)
    properties = execution.custom_properties
    properties["model"].string_value = change.model
    properties["user"].string_value = _user()
    properties["time"].string_value = datetime.now(UTC).isoformat(timespec="seconds")
    properties["served"].int_value = change.served
    if change.from_version is not None:
        properties["from_version"].int_value = change.from_version
    if change.to_version is not None:
        properties["to_version"].int_value = change.to_version
    if change.label is not None:
        properties["label"].string_value = change.label
    if change.removed:
        properties["removed"].string_value = json.dumps(change.removed)
    store.put_execution(execution, list(_inputs(store, change)), contexts=[])


def _inputs(store: MetadataStore, change: Change) -> Iterator[tuple[Artifact, Event]]:
    roles = dict.fromkeys(change.removed, "removed")
    if change.from_version is not None:
        roles[change.from_version] = "from_version"
    if change.to_version is not None:
        roles[change.to_version] = "to_version"
    for artifact in store.get_artifacts_by_type(_PUSHED_MODEL):
        role = roles.get(_pushed_version(artifact, change.model))
        if role is not None:
            event = Event(type=Event.INPUT, artifact_id=artifact.id)
            event.path.steps.add().key = role
            yield artifact, event


def _pushed_version(artifact: Artifact, model: str) -> int:
    """Returns the version, or -1 for an artifact of another model or of a run that did not push."""
    destination = Path(artifact.custom_properties["pushed_destination"].string_value)
    if destination.parent.name != model or not destination.name.isdecimal():
        return -1
    return int(destination.name)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # In a container the user may have a number and no name.
        return str(os.getuid())
