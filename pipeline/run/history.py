"""Past runs, from their folders; and where one run's model came from, from MLMD."""

import dataclasses
import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_metadata.proto.metadata_store_pb2 import Execution, Value

from pipeline.home import Home
from pipeline.metadata_file import require_usable
from pipeline.run.lineage import open_store, output_artifacts, run_executions
from pipeline.run.outcome import OUTCOME_FILE, RunOutcome, recorded_number
from pipeline.run.record import recorded_outcome
from pipeline_config import UserInputError

Executions = Mapping[str, list[Execution]]
"""What `pipeline.run.lineage.run_executions` returns."""

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


def past_runs(home: Home) -> list[RunOutcome]:
    """Returns the runs of all pipelines in an output folder, newest first.

    Their order is that of the numbers that they were recorded with: a clock may go wrong. Runs of
    before there were numbers come last, in the order of the times in their names.

    A run that goes on now is left out, and so is a folder without a readable `run.json`.
    """
    found = []
    for path in home.runs.glob(f"*/{OUTCOME_FILE}"):
        try:
            outcome = recorded_outcome(path.parent, home.push_root)
            recorded = path.stat().st_mtime
        except (OSError, ValueError):
            continue
        if outcome is not None:
            found.append((recorded_number(path), _started(outcome), recorded, outcome))
    return [outcome for *_, outcome in sorted(found, key=lambda run: run[:3], reverse=True)]


def killed_runs(home: Home) -> list[Path]:
    """Returns the folders of runs without an outcome: they were killed, or are under way."""
    return sorted(
        folder
        for folder in home.runs.glob("*-*T*-*")
        if folder.is_dir() and not (folder / OUTCOME_FILE).exists()
    )


def find_run(home: Home, run_id: str) -> RunOutcome:
    """Returns one run.

    Raises:
        UserInputError: There is no such run; the message names the nearest one.
    """
    runs = {outcome.run_id: outcome for outcome in past_runs(home)}
    if run_id in runs:
        return runs[run_id]
    if not runs:
        raise UserInputError(f"no run {run_id}: {home.root} holds none; start one with aepipe run")
    (nearest,) = difflib.get_close_matches(run_id, runs, n=1, cutoff=0.0)
    raise UserInputError(f"no run {run_id} in {home.root}; did you mean {nearest}?")


def lineage(home: Home, run_id: str) -> dict[str, Any]:
    """Returns where the result of one run came from.

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
    metadata_path = home.metadata_path(outcome.pipeline)
    executions: Executions = {}
    examples: dict[str, Any] = {}
    stages: list[dict[str, Any]] = []
    require_usable(home, outcome.pipeline)
    if metadata_path.exists():
        store = open_store(str(metadata_path))
        executions = run_executions(store, run_id)
        ingested = output_artifacts(store, executions, "ExampleGen").get("examples")
        examples = _decoded_properties(ingested.custom_properties) if ingested else {}
        stages = [
            {
                "stage": stage,
                "execution_id": of_stage[-1].id,
                "state": Execution.State.Name(of_stage[-1].last_known_state),
                "outputs": {
                    key: artifact.uri
                    for key, artifact in sorted(output_artifacts(store, executions, stage).items())
                },
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
        executions: `pipeline.run.lineage.run_executions` of the run.

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
    fingerprints = {}
    for stage in executions:
        properties = _properties(executions, stage)
        fingerprint = properties.get("fingerprint") or _fingerprint_within(
            properties.get("custom_config")
        )
        if fingerprint:
            fingerprints[stage] = fingerprint
    return fingerprints


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
    """ExampleGen's custom config is a packed message: its values lie two levels down."""
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


def _started(outcome: RunOutcome) -> str:
    """The UTC time within a run's name; a folder's own times do not survive a copy."""
    parts = outcome.run_id.rsplit("-", 2)
    return parts[1] if len(parts) == 3 else ""
