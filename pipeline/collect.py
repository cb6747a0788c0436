"""The outcome of a finished run, read from MLMD and from the artifacts it names."""

import json
from pathlib import Path
from typing import Any

from ml_metadata.proto.metadata_store_pb2 import Artifact, Execution

from components.data_gate.component import VERDICT_FILE
from components.threshold_evaluator.outputs import EVALUATION_FILE
from pipeline.home import Home
from pipeline.lineage import open_store, output_artifacts, run_executions
from pipeline.outcome import DataFacts, RunOutcome
from pipeline_config import PipelineConfig


def mark_abandoned(metadata_path: Path) -> int:
    """Marks executions as failed that a killed run left behind as running.

    Call it while holding the pipeline's lock: nothing can be running then.

    Returns:
        How many there were.
    """
    if not metadata_path.exists():
        return 0
    store = open_store(str(metadata_path))
    abandoned = [
        execution
        for execution in store.get_executions()
        if execution.last_known_state in (Execution.NEW, Execution.RUNNING)
    ]
    for execution in abandoned:
        execution.last_known_state = Execution.FAILED
    if abandoned:
        store.put_executions(abandoned)
    return len(abandoned)


def collect_outcome(
    config: PipelineConfig,
    home: Home,
    run_id: str,
    facts: DataFacts,
    *,
    seconds: dict[str, float],
    cached: list[str],
) -> RunOutcome:
    """Reads what a finished run produced.

    Returns:
        The outcome, without its log.
    """
    store = open_store(str(home.metadata_path(config.name)))
    executions = run_executions(store, run_id)
    gate = output_artifacts(store, executions, "DataGate")["verdict"]
    judged = output_artifacts(store, executions, "ThresholdEvaluator")
    pushed = output_artifacts(store, executions, "VersionedPusher")["pushed_model"]
    evaluation = _read_json(Path(judged["evaluation"].uri) / EVALUATION_FILE)
    destination = _destination(pushed)
    fresh = "VersionedPusher" not in cached
    blessed = bool(evaluation["blessed"])
    return RunOutcome(
        pipeline=config.name,
        run_id=run_id,
        status=("pushed" if fresh else "unchanged") if blessed else "not_blessed",
        data=DataFacts(
            source=facts.source,
            directory=facts.directory,
            sha256=facts.sha256,
            examples=_read_json(Path(gate.uri) / VERDICT_FILE)["examples"],
        ),
        metrics=evaluation["metrics"],
        threshold=evaluation["threshold"],
        blessed=blessed,
        reasons=evaluation["reasons"],
        notices=[] if fresh or destination is None else _stale_push(destination),
        pushed=str(destination) if destination else None,
        seconds=seconds,
        cached=cached,
    )


def _destination(pushed: Artifact) -> Path | None:
    if not pushed.custom_properties["pushed"].int_value:
        return None
    return Path(pushed.custom_properties["pushed_destination"].string_value)


def _stale_push(destination: Path) -> list[str]:
    """Tells where a cached push is no longer what is served."""
    versions = [int(path.name) for path in destination.parent.glob("*") if path.name.isdigit()]
    if destination.is_dir() and max(versions) == int(destination.name):
        return []
    state = "is older than what is served" if destination.is_dir() else "is not there any more"
    return [
        f"this result was pushed before, as {destination.name}, which {state}; "
        "push it again with --from VersionedPusher"
    ]


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
