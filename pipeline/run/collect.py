"""The outcome of a finished run, read from MLMD and from the artifacts it names."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_metadata.proto.metadata_store_pb2 import Artifact

from components.data_gate.component import VERDICT_FILE
from components.infra_validator.component import BLESSED_PROPERTY, LOG_FILE, REASON_PROPERTY
from components.threshold_evaluator.outputs import EVALUATION_FILE
from components.versioned_pusher.executor import NOTICE_PROPERTY
from pipeline.home import Home
from pipeline.models.pushed_versions import why_not_served
from pipeline.run.lineage import open_store, output_artifacts, run_executions
from pipeline.run.outcome import RunOutcome


def collect_outcome(begun: RunOutcome, home: Home) -> RunOutcome:
    """Returns the outcome of a run whose every stage has ended.

    Args:
        begun: What its record has of it.
        home: The output folder.
    """
    store = open_store(home, begun.pipeline)
    executions = run_executions(store, begun.run_id)
    pushed = output_artifacts(store, executions, "VersionedPusher")["pushed_model"]
    is_fresh = "VersionedPusher" not in begun.cached
    notices = _notices(pushed) if is_fresh else []
    return judged_outcome(
        dataclasses.replace(begun, notices=[*begun.notices, *notices]),
        gate_uri=output_artifacts(store, executions, "DataGate")["verdict"].uri,
        evaluation_uri=output_artifacts(store, executions, "ThresholdEvaluator")["evaluation"].uri,
        infra_refusal=_infra_refusal(output_artifacts(store, executions, "InfraValidator")),
        destination=_destination(pushed),
        fresh=is_fresh,
    )


def class_counts(home: Home, pipeline: str, run_id: str) -> tuple[str, list[str]]:
    """Returns what the data gate of a detector's run counted, in words, and its notices.

    Call it once the gate has passed.
    """
    store = open_store(home, pipeline)
    gate = output_artifacts(store, run_executions(store, run_id), "DataGate")["verdict"]
    passed = _read_json(Path(gate.uri) / VERDICT_FILE)
    labels = passed.get("labels", {}).values()
    normal, abnormal = (sum(of[name] for of in labels) for name in ("normal", "abnormal"))
    return f"{normal:,} normal, {abnormal:,} abnormal", passed.get("notices", [])


def judged_outcome(
    begun: RunOutcome,
    *,
    gate_uri: str,
    evaluation_uri: str,
    infra_refusal: list[str],
    destination: Path | None,
    fresh: bool,
) -> RunOutcome:
    """Returns the outcome of a run by what its gates wrote.

    Args:
        begun: The run, with the data that it read.
        gate_uri: The data gate's verdict.
        evaluation_uri: The evaluator's findings.
        infra_refusal: Why the infra validator refused; empty if it did not.
        destination: Folder that was pushed to; None if nothing was pushed.
        fresh: Whether this run pushed, rather than an earlier one with the same result.
    """
    assert begun.data is not None, "it began with its data"
    evaluation = _read_json(Path(evaluation_uri) / EVALUATION_FILE)
    passed = _read_json(Path(gate_uri) / VERDICT_FILE)
    # Of a model that was not blessed, the infra validator only says that.
    reasons = infra_refusal if evaluation["blessed"] else evaluation["reasons"]
    blessed = bool(evaluation["blessed"]) and not reasons
    notices = [
        *begun.notices,
        *passed.get("notices", []),
        *evaluation.get("notices", []),
        *(why_not_served(destination) if destination else []),
    ]
    return dataclasses.replace(
        begun,
        status=("pushed" if fresh else "unchanged") if blessed else "not_blessed",
        data=dataclasses.replace(
            begun.data,
            examples=passed["examples"],
            drift=passed["drift"],
            labels=passed.get("labels", {}),
        ),
        metrics=evaluation["metrics"],
        threshold=evaluation["threshold"],
        blessed=blessed,
        reasons=reasons,
        # A run may be ended twice, if its last step was killed.
        notices=list(dict.fromkeys(notices)),
        pushed=str(destination) if destination else None,
    )


def _infra_refusal(outputs: Mapping[str, Artifact]) -> list[str]:
    """Returns why the infra validator refused; empty if it did not, or is turned off."""
    if "blessing" not in outputs:
        return []
    blessing = outputs["blessing"]
    if blessing.custom_properties[BLESSED_PROPERTY].int_value:
        return []
    reason = blessing.custom_properties[REASON_PROPERTY].string_value
    return [
        f"infra validator: {reason}; the server's log is {blessing.uri}/{LOG_FILE}; try again with "
        "--from InfraValidator"
    ]


def _destination(pushed: Artifact) -> Path | None:
    if not pushed.custom_properties["pushed"].int_value:
        return None
    return Path(pushed.custom_properties["pushed_destination"].string_value)


def _notices(pushed: Artifact) -> list[str]:
    return pushed.custom_properties[NOTICE_PROPERTY].string_value.splitlines()


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
