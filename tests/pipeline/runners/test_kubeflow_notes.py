"""What a step leaves to the exit handler of its run."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.runners.kubeflow_notes import note_failure, noted_failures, run_of_step


def outputs(uri: str) -> dict[str, Any]:
    return {"outputs": {"artifacts": {"model": {"artifacts": [{"uri": uri}]}}}}


@pytest.mark.parametrize(
    ("invocation", "run"),
    [
        (outputs("minio://mlpipeline/v2/artifacts/anomaly/3f-2a/Trainer/9c-1/model"), "3f-2a"),
        # Servers before 2.1 have no folder for each execution.
        (outputs("gs://bucket/artifacts/anomaly/3f-2a/Trainer/model"), "3f-2a"),
        # A root that names the stage elsewhere.
        (outputs("s3://bucket/Trainers/anomaly/3f-2a/Trainer/9c-1/model"), "3f-2a"),
        ({"inputs": {"parameterValues": {"run_id": "3f-2a"}}, "outputs": {}}, "3f-2a"),
        (outputs("s3://bucket/somewhere/else"), None),
        ({"outputs": {"outputFile": "x"}}, None),
    ],
)
def test_a_step_knows_its_run(invocation: dict[str, Any], run: str | None) -> None:
    assert run_of_step(invocation, "Trainer") == run


def test_failures_are_read_in_the_order_they_happened(tmp_path: Path) -> None:
    run = tmp_path / ".runs" / "run-1"
    assert noted_failures(run) == []
    note_failure(run, "Trainer", "failed", "killed by signal 9")
    note_failure(run, "DataGate", "data_refused", "drift")
    assert noted_failures(run) == [
        ("Trainer", "failed", "killed by signal 9"),
        ("DataGate", "data_refused", "drift"),
    ]
