"""What MLMD records of a run: its executions by stage, their artifacts, and its lineage."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ml_metadata import MetadataStore, errors
from ml_metadata.proto.metadata_store_pb2 import (
    Artifact,
    ConnectionConfig,
    Event,
    Execution,
    SqliteMetadataSourceConfig,
    Value,
)

from pipeline.home import Home
from pipeline.metadata_file import require_usable
from pipeline.run.history import find_run
from pipeline.run.outcome import RunOutcome
from pipeline_config import UserInputError

Executions = Mapping[str, list[Execution]]
"""What `run_executions` returns."""

_CONFIG_PROPERTIES = {
    "ExampleGen": ("input_config", "output_config", "custom_config"),
    "SchemaGen": ("schema_file",),
    "DataGate": ("both_classes",),
    "Transform": ("custom_config",),
    "Trainer": ("custom_config",),
    "ThresholdEvaluator": ("config",),
    "InfraValidator": ("config",),
    "VersionedPusher": ("config", "push_root"),
}
"""Execution properties that hold what was configured; TFX keeps others of its own beside them."""


def open_store(home: Home, pipeline: str) -> MetadataStore:
    """Opens the metadata store of one pipeline.

    Raises:
        UserInputError: The file is damaged, lost or held by another process.
    """
    require_usable(home, pipeline)
    path = home.metadata_path(pipeline)
    if not path.exists():
        raise UserInputError(f"{path}: there is no such file: run the pipeline first")
    config = ConnectionConfig()
    config.sqlite.filename_uri = str(path)
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
    store: MetadataStore, executions: Executions, stage: str
) -> dict[str, Artifact]:
    """Returns the output artifacts of a stage's last execution, by output key."""
    last = executions.get(stage, [])[-1:]
    return {key: artifact for _, key, artifact in outputs_of(store, last)}


def outputs_of(
    store: MetadataStore, executions: Iterable[Execution]
) -> list[tuple[int, str, Artifact]]:
    """Returns the id of the execution, the output key and the artifact of each output."""
    ids = [execution.id for execution in executions]
    events = store.get_events_by_execution_ids(ids) if ids else []
    outputs = [event for event in events if event.type == Event.OUTPUT]
    artifacts = {
        artifact.id: artifact
        for artifact in store.get_artifacts_by_id([event.artifact_id for event in outputs])
    }
    return [
        (event.execution_id, event.path.steps[0].key, artifacts[event.artifact_id])
        for event in outputs
    ]


def text_property(properties: Mapping[str, Value], name: str) -> str:
    """Returns a property that is a text; an empty one if it is absent."""
    # Reading a key that a protobuf map lacks would add it.
    return str(properties[name].string_value) if name in properties else ""


def lineage(home: Home, run_id: str) -> dict[str, Any]:
    """Returns what the result of one run was made of.

    Returns:
        JSON values: `outcome` (`RunOutcome.as_dict`); `data` (directory, sha256, newest span and
        version, all spans, drift and TFX's input fingerprint); `config` (what each stage was
        configured with); `code` (fingerprint of each stage's source); `metrics`, `blessed`,
        `pushed_version`; and `stages`, in order: name, execution id, state (`COMPLETE`, `CACHED`,
        `FAILED`) and the URIs of the output artifacts. What a run did not get to is null or empty.

    Raises:
        UserInputError: There is no such run; the message names the nearest one.
    """
    outcome = find_run(home, run_id)
    executions: Executions = {}
    examples: dict[str, Any] = {}
    stages: list[dict[str, Any]] = []
    require_usable(home, outcome.pipeline)
    if home.metadata_path(outcome.pipeline).exists():
        store = open_store(home, outcome.pipeline)
        executions = run_executions(store, run_id)
        outputs = {stage: output_artifacts(store, executions, stage) for stage in executions}
        if ingested := outputs.get("ExampleGen", {}).get("examples"):
            examples = _decoded_properties(ingested.custom_properties)
        stages = [
            {
                "stage": stage,
                "execution_id": of_stage[-1].id,
                "state": Execution.State.Name(of_stage[-1].last_known_state),
                "outputs": {key: artifact.uri for key, artifact in sorted(outputs[stage].items())},
            }
            for stage, of_stage in sorted(executions.items(), key=lambda item: item[1][-1].id)
        ]
    return {
        "outcome": outcome.as_dict(),
        "data": _data(outcome, executions, examples),
        "config": stage_configs(executions),
        "code": _code_fingerprints(executions),
        "metrics": outcome.metrics,
        "blessed": outcome.blessed,
        "pushed_version": Path(outcome.pushed).name if outcome.pushed else None,
        "stages": stages,
    }


def stage_configs(executions: Executions) -> dict[str, dict[str, Any]]:
    """Returns what each stage of a run was configured with, as MLMD has it.

    Args:
        executions: `run_executions` of the run.

    Returns:
        Stage -> property -> value, with JSON decoded and without code fingerprints.
    """
    configs = {}
    for stage, names in _CONFIG_PROPERTIES.items():
        properties = _properties(executions, stage)
        present = {name: properties[name] for name in names if name in properties}
        if present:
            configs[stage] = {name: _without_fingerprint(v) for name, v in present.items()}
    return configs


def _data(
    outcome: RunOutcome, executions: Executions, examples: Mapping[str, Any]
) -> dict[str, Any]:
    """Takes what the driver found from the artifact: a cached execution does not have it."""
    ingestion = _properties(executions, "ExampleGen")
    facts = dataclasses.asdict(outcome.data) if outcome.data else {}
    return {
        "source": facts.get("source"),
        "directory": ingestion.get("input_base", facts.get("directory")),
        "sha256": facts.get("sha256"),
        "span": examples.get("span"),
        "version": examples.get("version"),
        "spans": facts.get("spans", []),
        "previous_span": facts.get("previous_span"),
        "drift": facts.get("drift", {}),
        "input_fingerprint": examples.get("input_fingerprint"),
    }


def _code_fingerprints(executions: Executions) -> dict[str, str]:
    every = {stage: _properties(executions, stage) for stage in executions}
    found = {
        stage: properties.get("fingerprint") or _fingerprint_within(properties.get("custom_config"))
        for stage, properties in every.items()
    }
    return {stage: fingerprint for stage, fingerprint in found.items() if fingerprint}


def _properties(executions: Executions, stage: str) -> dict[str, Any]:
    if not executions.get(stage):
        return {}
    return _decoded_properties(executions[stage][-1].custom_properties)


def _decoded_properties(properties: Mapping[str, Value]) -> dict[str, Any]:
    return {name: _decoded(getattr(v, v.WhichOneof("value"))) for name, v in properties.items()}


def _decoded(value: Any) -> Any:
    """Returns the content of JSON text, other values as they are."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _fingerprint_within(custom_config: Any) -> str | None:
    """ExampleGen's custom config is a packed message: its values are two levels down."""
    while isinstance(custom_config, dict):
        if "fingerprint" in custom_config:
            return str(custom_config["fingerprint"])
        custom_config = custom_config.get("custom_config", custom_config.get("value"))
    return None


def _without_fingerprint(value: Any) -> Any:
    """Leaves out what the code and the data are, which is no configuration."""
    if not isinstance(value, dict):
        return value
    left_out = ("fingerprint", "files")
    return {key: _without_fingerprint(v) for key, v in value.items() if key not in left_out}


def _stage(store: MetadataStore, execution: Execution) -> str:
    for context in store.get_contexts_by_execution(execution.id):
        if context.type == "node":
            return str(context.name).rpartition(".")[2]
    raise LookupError(f"execution {execution.id} belongs to no pipeline node")
