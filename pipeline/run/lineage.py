"""What MLMD records of a run: its executions by stage and their artifacts."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from ml_metadata import MetadataStore, errors
from ml_metadata.proto.metadata_store_pb2 import (
    Artifact,
    ConnectionConfig,
    Event,
    Execution,
    SqliteMetadataSourceConfig,
)

from pipeline.home import Home
from pipeline.metadata_file import require_usable
from pipeline_config import UserInputError


def open_store(sqlite_path: str) -> MetadataStore:
    """Opens the metadata store of one pipeline.

    Args:
        sqlite_path: `Home.metadata_path` of the pipeline.

    Raises:
        UserInputError: The file is damaged, lost or held by another process.
    """
    path = Path(sqlite_path)
    require_usable(*Home.of_metadata_path(path))
    if not path.exists():
        raise UserInputError(f"{path}: there is no such file: run the pipeline first")
    config = ConnectionConfig()
    config.sqlite.filename_uri = sqlite_path
    config.sqlite.connection_mode = SqliteMetadataSourceConfig.READWRITE
    try:
        return MetadataStore(config)
    except (RuntimeError, errors.StatusError) as error:
        # A plain RuntimeError is what MLMD raises if it cannot open its file.
        raise UserInputError(f"{path}: {str(error).splitlines()[0]}") from error


def run_executions(store: MetadataStore, run_id: str) -> dict[str, list[Execution]]:
    """Returns the executions of a run by stage, oldest first; empty for an unknown run."""
    context = store.get_context_by_type_and_name("pipeline_run", run_id)
    if context is None:
        return {}
    by_stage: dict[str, list[Execution]] = defaultdict(list)
    for execution in sorted(store.get_executions_by_context(context.id), key=lambda e: e.id):
        by_stage[_stage(store, execution)].append(execution)
    return dict(by_stage)


def output_artifacts(
    store: MetadataStore, executions: Mapping[str, list[Execution]], stage: str
) -> dict[str, Artifact]:
    """Returns the output artifacts of a stage's last execution, by output key."""
    if not executions.get(stage):
        return {}
    events = [
        event
        for event in store.get_events_by_execution_ids([executions[stage][-1].id])
        if event.type == Event.OUTPUT
    ]
    by_id = {
        artifact.id: artifact
        for artifact in store.get_artifacts_by_id([event.artifact_id for event in events])
    }
    return {
        event.path.steps[0].key: by_id[event.artifact_id] for event in events if event.path.steps
    }


def _stage(store: MetadataStore, execution: Execution) -> str:
    for context in store.get_contexts_by_execution(execution.id):
        if context.type == "node":
            return str(context.name).rpartition(".")[2]
    raise LookupError(f"execution {execution.id} belongs to no pipeline node")
