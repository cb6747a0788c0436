"""The outcome of a finished run, read from MLMD and from the artifacts it names."""

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import Examples, InfraBlessing, PushedModel

from components.data_gate.component import VERDICT_FILE
from components.example_gen.executor import NOTICES_PROPERTY
from components.infra_validator.component import BLESSED_PROPERTY, LOG_FILE, REASON_PROPERTY
from components.threshold_evaluator.outputs import EVALUATION_FILE
from components.versioned_pusher.component import NOTICE_PROPERTY
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
    pushed = PushedModel()
    pushed.set_mlmd_artifact(output_artifacts(store, executions, "VersionedPusher")["pushed_model"])
    is_fresh = "VersionedPusher" not in begun.cached
    notices = pushed.get_string_custom_property(NOTICE_PROPERTY).splitlines() if is_fresh else []
    blessing = None
    if found := output_artifacts(store, executions, "InfraValidator").get("blessing"):
        blessing = InfraBlessing()
        blessing.set_mlmd_artifact(found)
    begun = dataclasses.replace(
        begun, notices=[*begun.notices, *ingestion_notices(home, begun.pipeline, begun.run_id)]
    )
    return judged_outcome(
        dataclasses.replace(begun, notices=[*begun.notices, *notices]),
        verdict_uri=output_artifacts(store, executions, "DataGate")["verdict"].uri,
        evaluation_uri=output_artifacts(store, executions, "ThresholdEvaluator")["evaluation"].uri,
        blessing=blessing,
        pushed=pushed,
        is_fresh=is_fresh,
        advice=f"; the server's log is {blessing.uri}/{LOG_FILE}; try again with --from "
        "InfraValidator"
        if blessing
        else "",
    )


def ingestion_notices(home: Home, pipeline: str, run_id: str) -> list[str]:
    """Returns what was found in the files that a reader of a run must not miss.

    Call it once ExampleGen has ended.
    """
    store = open_store(home, pipeline)
    examples = Examples()
    found = output_artifacts(store, run_executions(store, run_id), "ExampleGen")["examples"]
    examples.set_mlmd_artifact(found)
    return list(examples.get_string_custom_property(NOTICES_PROPERTY).splitlines())


def class_counts(home: Home, pipeline: str, run_id: str) -> tuple[str, list[str]]:
    """Returns how many examples of each class the data gate counted, as text, and its notices.

    Call it once the gate has passed.
    """
    store = open_store(home, pipeline)
    gate = output_artifacts(store, run_executions(store, run_id), "DataGate")["verdict"]
    passed = _read_json(Path(gate.uri) / VERDICT_FILE)
    counts: Counter[str] = Counter()
    for of_split in passed.get("labels", {}).values():
        counts.update(of_split)
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()), passed.get(
        "notices", []
    )


def judged_outcome(
    begun: RunOutcome,
    *,
    verdict_uri: str,
    evaluation_uri: str,
    blessing: Artifact | None,
    pushed: Artifact,
    is_fresh: bool,
    advice: str = "",
) -> RunOutcome:
    """Returns the outcome of a run by what its gates wrote.

    Args:
        begun: The run, with the data that it read.
        verdict_uri: The data gate's.
        evaluation_uri: The evaluator's findings.
        blessing: The infra validator's; None if it is turned off.
        pushed: The pusher's.
        is_fresh: Whether this run pushed, rather than an earlier one with the same result.
        advice: Follows the reason of a refusal by the infra validator.
    """
    assert begun.data is not None, "it began with its data"
    found = _read_json(Path(evaluation_uri) / EVALUATION_FILE)
    passed = _read_json(Path(verdict_uri) / VERDICT_FILE)
    # Of a model that was not blessed, the infra validator only says that.
    reasons = found["reasons"]
    # TFX's getters, as Kubeflow Pipelines returns every number of a property as a float.
    if found["blessed"] and blessing and not blessing.get_int_custom_property(BLESSED_PROPERTY):
        reason = blessing.get_string_custom_property(REASON_PROPERTY)
        reasons = [f"infra validator: {reason}{advice}"]
    elif found["blessed"]:
        reasons = []
    blessed = bool(found["blessed"]) and not reasons
    is_pushed = pushed.get_int_custom_property("pushed")
    folder = pushed.get_string_custom_property("pushed_destination")
    destination = Path(folder) if is_pushed else None
    notices = [
        *begun.notices,
        *passed.get("notices", []),
        *found.get("notices", []),
        *(why_not_served(destination) if destination else []),
    ]
    return dataclasses.replace(
        begun,
        status=("pushed" if is_fresh else "unchanged") if blessed else "not_blessed",
        data=dataclasses.replace(
            begun.data,
            examples=passed["examples"],
            drift=passed["drift"],
            labels=passed.get("labels", {}),
        ),
        metrics=found["metrics"],
        bounds=found.get("bounds", []),
        classes=found.get("classes", {}),
        threshold=found["threshold"],
        blessed=blessed,
        reasons=reasons,
        # A run may be ended twice, if its last step was killed.
        notices=list(dict.fromkeys(notices)),
        pushed=str(destination) if destination else None,
    )


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
