"""MLMD's record of a rollback or another change of what is served.

The change itself is `versions.json` and is made before it is recorded, so a database that is busy,
as during a run, never prevents a rollback.
"""

import getpass
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ml_metadata import MetadataStore, errors
from ml_metadata.proto.metadata_store_pb2 import Artifact, Event, Execution, ExecutionType

from pipeline.home import Home
from pipeline.run.lineage import open_store
from pipeline_config import UserInputError
from serving.push_directory.layout import version_number
from serving.push_directory.rollback import Change

_ATTEMPTS = 2
"""Each waits for another process for ten seconds or more."""

_PUSHED_MODEL = "PushedModel"
"""TFX's name of the artifact type; importing it from TFX takes ten seconds."""


def execution_type(action: str) -> str:
    """Returns MLMD's type name of an action, such as `aepipe.ModelRollback`."""
    return f"aepipe.Model{action.capitalize()}"


def record_change(home: Home, pipeline: str, change: Change) -> str | None:
    """Writes a change as an execution with the pushed models as its inputs.

    It belongs to no run and no pipeline node, so neither TFX's cache nor `aepipe runs` reads it.

    Args:
        home: The output folder.
        pipeline: The pipeline that pushed the model.
        change: A change that has been made.

    Returns:
        None, or one line with the reason if it could not be recorded.
    """
    for _ in range(_ATTEMPTS):
        try:
            _put(open_store(home, pipeline), change)
        except UserInputError as error:
            line = str(error)
        except errors.StatusError as error:
            line = f"{home.metadata_path(pipeline)}: {str(error).splitlines()[0]}"
        else:
            return None
    return f"not recorded: {line}"


def _put(store: MetadataStore, change: Change) -> None:
    type_id = store.put_execution_type(ExecutionType(name=execution_type(change.action)))
    execution = Execution(type_id=type_id, last_known_state=Execution.COMPLETE)
    properties = execution.custom_properties
    properties["model"].string_value = change.model
    properties["user"].string_value = user_name()
    properties["time"].string_value = datetime.now(UTC).isoformat(timespec="seconds")
    properties["served"].int_value = change.served
    if change.from_version is not None:
        properties["from_version"].int_value = change.from_version
    if change.to_version is not None:
        properties["to_version"].int_value = change.to_version
    if change.label is not None:
        properties["label"].string_value = change.label
    if change.threshold is not None:
        for name, value in change.threshold.recorded().items():
            if isinstance(value, float):
                properties[name].double_value = value
            else:
                properties[name].string_value = value
    if change.removed:
        properties["removed"].string_value = json.dumps(change.removed)
    store.put_execution(execution, list(_inputs(store, change)), contexts=[])


def _inputs(store: MetadataStore, change: Change) -> Iterator[tuple[Artifact, Event]]:
    roles: dict[int | None, str] = dict.fromkeys(change.removed, "removed")
    if change.from_version is not None:
        roles[change.from_version] = "from_version"
    if change.to_version is not None:
        roles[change.to_version] = "to_version"
    for artifact in store.get_artifacts_by_type(_PUSHED_MODEL):
        version = _pushed_version(artifact, change.model)
        if version in roles:
            event = Event(type=Event.INPUT, artifact_id=artifact.id)
            event.path.steps.add().key = roles[version]
            yield artifact, event


def _pushed_version(artifact: Artifact, model: str) -> int | None:
    """Returns the version, None for an artifact of another model or of a run that did not push."""
    destination = Path(artifact.custom_properties["pushed_destination"].string_value)
    return version_number(destination) if destination.parent.name == model else None


def user_name() -> str:
    """Returns who runs this, for a record."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # In a container the user may have a number and no name.
        return str(os.getuid())
