"""What the steps of a run on Kubeflow Pipelines leave to its exit handler.

The server hands an exit handler nothing of the steps before it: no artifacts, and not even which
one failed. So they leave word in a folder of the push directory, where a model server does not
look. Nothing heavy is imported here.
"""

import json
import re
import time
from pathlib import Path
from typing import Any

from pipeline.outcome import Status

RUNS_FOLDER = ".runs"
"""Below the push directory; it has a folder for each run that has not ended."""

RUN_ID_PARAMETER = "run_id"
RUN_ID_PLACEHOLDER = "{{$.pipeline_job_uuid}}"
"""The server puts the run's id in its place, in a parameter that is this and nothing else."""

_FAILURE_SUFFIX = ".failure.json"


def run_of_step(invocation: dict[str, Any], stage: str) -> str | None:
    """Returns the run that a step is part of; None where that cannot be told.

    As a parameter, the run's id would keep a step's result from being found in the server's cache.
    So most steps find it in their outputs' URIs, `ROOT/PIPELINE/RUN/STAGE/…`.

    Args:
        invocation: KFP's `ExecutorInput` as JSON.
        stage: The step's name.
    """
    if given := invocation.get("inputs", {}).get("parameterValues", {}).get(RUN_ID_PARAMETER):
        return str(given)
    for artifacts in invocation.get("outputs", {}).get("artifacts", {}).values():
        for artifact in artifacts["artifacts"]:
            if found := re.search(rf"/([^/]+)/{re.escape(stage)}/", artifact["uri"]):
                return found[1]
    return None


def note_failure(run: Path, stage: str, status: Status, reason: str) -> None:
    """Leaves word of a step that failed.

    Args:
        run: The run's folder.
        stage: The step.
        status: `data_refused` or `failed`.
        reason: One line.
    """
    run.mkdir(parents=True, exist_ok=True)
    note = {"at": time.time_ns(), "stage": stage, "status": status, "reason": reason}
    (run / f"{stage}{_FAILURE_SUFFIX}").write_text(json.dumps(note))


def noted_failures(run: Path) -> list[tuple[str, Status, str]]:
    """Returns stage, status and reason of each step of the run that failed, the first one first."""
    notes = [json.loads(file.read_text()) for file in run.glob(f"*{_FAILURE_SUFFIX}")]
    notes.sort(key=lambda note: int(note["at"]))
    return [(note["stage"], note["status"], note["reason"]) for note in notes]
