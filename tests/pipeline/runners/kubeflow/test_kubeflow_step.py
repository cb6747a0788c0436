"""The container's command: URIs become the launcher's paths on the way in, and back."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.runners.kubeflow.step import (
    delocalised,
    localised,
    note_failure,
    noted_failures,
    run_of_step,
)


def artifact(uri: str, **metadata: Any) -> dict[str, Any]:
    return {"artifacts": [{"uri": uri, "metadata": metadata, "name": "n"}]}


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("minio://mlpipeline/v2/a/model", "/minio/mlpipeline/v2/a/model"),
        ("s3://bucket/a/model", "/s3/bucket/a/model"),
        ("gs://bucket/a/model", "/gcs/bucket/a/model"),
        ("/data/artifacts/a/model", "/data/artifacts/a/model"),
    ],
)
def test_a_uri_becomes_the_launchers_path_and_back(uri: str, path: str) -> None:
    invocation = {
        "inputs": {
            "artifacts": {"model": artifact(uri, span=3)},
            "parameterValues": {"a": "gs://x"},
        },
        "outputs": {"artifacts": {"blessing": artifact(uri)}, "outputFile": "/tmp/out.json"},
    }

    local = localised(invocation)

    assert local["inputs"]["artifacts"]["model"] == artifact(path, span=3)
    assert local["inputs"]["parameterValues"] == {"a": "gs://x"}, "parameters stay as they are"
    assert local["outputs"]["artifacts"]["blessing"] == artifact(path)
    assert local["outputs"]["outputFile"] == "/tmp/out.json"
    output = {"artifacts": {"blessing": artifact(path, blessed=1)}, "parameterValues": {"b": 1}}
    assert delocalised(output) == {
        "artifacts": {"blessing": artifact(uri, blessed=1)},
        "parameterValues": {"b": 1},
    }


def test_an_absent_artifact_is_no_input() -> None:
    invocation = {
        "inputs": {
            "artifacts": {
                "model": artifact("s3://b/model"),
                "baseline_model": artifact("s3://b/none", absent=1.0),
            }
        },
        "outputs": {"outputFile": "x"},
    }

    assert list(localised(invocation)["inputs"]["artifacts"]) == ["model"]


def test_a_property_that_names_an_artifact_goes_with_it() -> None:
    blessing = artifact("minio://b/blessing", judged_model="minio://b/model", blessed=1)

    local = localised({"inputs": {"artifacts": {"x": blessing}}, "outputs": {}})
    inner = local["inputs"]["artifacts"]["x"]

    assert inner == artifact("/minio/b/blessing", judged_model="/minio/b/model", blessed=1)
    assert delocalised({"artifacts": {"x": inner}}) == {"artifacts": {"x": blessing}}


def run_step(
    folder: Path, stage: str, invocation: dict[str, Any], *options: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.runners.kubeflow.step", *options]
    command += ["--executor_class_path", f"pipeline.runners.kubeflow.stages.{stage}_Executor"]
    command += ["--json_serialized_invocation_args", json.dumps(invocation)]
    command += ["--json_serialized_inputs_spec_args", "{}"]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True)


@pytest.mark.slow
def test_a_step_whose_work_is_done_elsewhere_has_no_file_in_the_container_but_the_launchers(
    tmp_path: Path,
) -> None:
    schema, output = tmp_path / "bucket" / "schema", tmp_path / "launcher" / "metadata.json"
    invocation = {
        "inputs": {"parameterValues": {"content": 'feature {\n  name: "signal"\n}\n'}},
        "outputs": {
            "artifacts": {
                "schema": {
                    "artifacts": [{"uri": str(schema), "type": {"schemaTitle": "tfx.Schema"}}]
                }
            },
            "outputFile": str(output),
        },
    }

    step = run_step(tmp_path, "WriteSchema", invocation, "--remote")

    assert step.returncode == 0, step.stderr
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    (written,) = json.loads(output.read_text())["artifacts"]["schema"]["artifacts"]
    assert written["uri"] == str(schema)
    assert json.loads((schema.parent / "output_metadata.json").read_text())["artifacts"]


def test_a_step_without_inputs_is_left_alone() -> None:
    local = localised({"outputs": {"outputFile": "x"}})

    assert local == {"inputs": {"artifacts": {}}, "outputs": {"artifacts": {}, "outputFile": "x"}}


@pytest.mark.slow
def test_a_failing_executor_fails_the_step_and_names_the_fault(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    invocation = {
        "inputs": {
            "parameterValues": {
                "input_base": str(missing),
                "input_config": json.dumps({"splits": [{"name": "all", "pattern": "*.csv*"}]}),
                "range_config": "",
                "custom_config": "{}",
                "run_id": "run-1",
            }
        },
        "outputs": {"outputFile": str(tmp_path / "out" / "metadata.json")},
    }
    step = run_step(
        tmp_path, "ResolveData", invocation, "--notes", str(tmp_path / "runs"), "ResolveData"
    )

    assert step.returncode == 1
    assert step.stderr.splitlines()[-1].endswith(
        f"UserInputError: {missing}/*.csv*: no file matches: put data there"
    )
    assert not (tmp_path / "out").exists()
    reason = f"{missing}/*.csv*: no file matches: put data there"
    assert noted_failures(tmp_path / "runs" / "run-1") == [("ResolveData", "failed", reason)]


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
def test_a_step_finds_its_run(invocation: dict[str, Any], run: str | None) -> None:
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
