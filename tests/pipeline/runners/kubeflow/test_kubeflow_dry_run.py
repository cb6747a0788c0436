"""A compiled specification, executed on this machine: the commands of its containers, in order."""

import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Aepipe
from tests.pipeline.runners.kubeflow.dry_run import DryRun, StepFailedError, TaskRun
from tests.pipeline.webhook_server import Webhook

ALL_RUN = {
    "ResolveData", "SchemaGen", "ExampleGen", "StatisticsGen", "ExampleValidator", "DataGate",
    "Transform", "WarmStartResolver", "Trainer", "ThresholdEvaluator", "InfraValidator",
    "VersionedPusher",
}  # fmt: skip
"""But not BaselineResolver: within a run it asks what WarmStartResolver has asked already."""

FEW_EPOCHS = ("--set", "trainer.epochs=12", "--set", "trainer.batch_size=64")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


@pytest.fixture
def ecg_rows(small_sample: Path) -> list[str]:
    rows: list[str] = []
    for file in sorted((small_sample / "ecg").glob("*.csv*")):
        content = file.read_bytes()
        if file.suffix == ".gz":
            content = gzip.decompress(content)
        rows += content.decode().splitlines()
    return rows


def write_span(data: Path, number: int, rows: list[str]) -> None:
    folder = data / "ecg" / f"span-{number}"
    folder.mkdir(parents=True)
    (folder / "ecg.csv").write_text("\n".join(rows) + "\n")


def pushed(push: Path, model: str) -> list[int]:
    folder = push / model
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def ran(stages: dict[str, TaskRun]) -> set[str]:
    return {name for name, stage in stages.items() if not stage.cached}


def evaluation_of(stages: dict[str, TaskRun]) -> dict[str, Any]:
    folder = stages["ThresholdEvaluator"].artifacts["evaluation"].uri
    content: dict[str, Any] = json.loads(Path(folder, "evaluation.json").read_text())
    return content


def logged_outcome(exit_handler: TaskRun) -> dict[str, Any]:
    (line,) = [line for line in exit_handler.log.splitlines() if '{"runs": [' in line]
    outcome: dict[str, Any] = json.loads(line[line.index("{") :])["runs"][0]
    return outcome


def listed(aepipe: Aepipe, folder: Path) -> list[dict[str, Any]]:
    result = aepipe("models", "list", "--models-dir", folder / "push", "--json")
    assert result.exit_code == 0, result.err
    models: list[dict[str, Any]] = json.loads(result.out)["versions"]
    return models


WEBHOOK = ("--webhook-secret", "aepipe/webhook-url")


def secret_of(webhook: Webhook) -> dict[str, dict[str, str]]:
    return {"aepipe": {"webhook-url": webhook.url}}


def compiled(
    aepipe: Aepipe,
    folder: Path,
    pipeline: str,
    *options: str | Path,
    secrets: dict[str, dict[str, str]] | None = None,
) -> DryRun:
    result = aepipe(
        "compile", "kubeflow", pipeline, "--push-uri", folder / "push", "-o", folder, *options
    )
    assert result.exit_code == 0, result.err
    return DryRun(folder / f"{pipeline}.yaml", folder / "root", secrets)


def test_a_window_of_spans_is_pushed_and_pushed_again_when_a_span_arrives(
    aepipe: Aepipe, ecg_rows: list[str], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    third = len(ecg_rows) // 3
    write_span(data, 1, ecg_rows[:third])
    write_span(data, 2, ecg_rows[third : 2 * third])
    server = compiled(
        aepipe, tmp_path, "anomaly", "--data-uri", data, "--spans", "number", *FEW_EPOCHS,
        "--set", "data.window=2", "--set", "trainer.warm_start=true",
        "--set", "gate.drift_threshold=0.5", "--set", "gate.label_drift_threshold=1",
    )  # fmt: skip

    first = server.run()

    (version,) = pushed(tmp_path / "push", "ecg_anomaly_detector")
    assert ran(first) == ALL_RUN
    window = json.loads(first["ResolveData"].parameters["span_window"].string_value)
    assert [span["number"] for span in window["spans"]] == [1, 2]
    assert first["BaselineResolver"].artifacts["model"].metadata["absent"] == 1
    assert any("no earlier blessed model" in note for note in evaluation_of(first)["notes"])

    # The version answers.
    rows = tmp_path / "rows.csv"
    rows.write_text("\n".join(ecg_rows[:20]) + "\n")
    answer = aepipe(
        "predict", "anomaly", rows, "--models-dir", tmp_path / "push", "-o", tmp_path / "out.csv",
        "--json",
    )  # fmt: skip
    assert answer.exit_code == 0, answer.err
    assert json.loads(answer.out)["version"] == version
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 21

    # Nothing new: the data is looked at, and all else is found again.
    again = server.run()
    assert ran(again) == {"ResolveData"}
    assert pushed(tmp_path / "push", "ecg_anomaly_detector") == [version]

    # A new span: all runs again, and the first version is the baseline and where training starts.
    time.sleep(1)
    write_span(data, 3, ecg_rows[2 * third :])
    after = server.run()
    assert ran(after) == ALL_RUN
    window = json.loads(after["ResolveData"].parameters["span_window"].string_value)
    assert [span["number"] for span in window["spans"]] == [2, 3]
    # TFX's mark for a custom property that has the name of a property of the type.
    assert after["ExampleGen"].artifacts["examples"].metadata["custom:span"] == 3
    for resolver in ("WarmStartResolver", "BaselineResolver"):
        served = after[resolver].artifacts["model"].metadata["served_version"]
        assert served == str(version)
    assert not any("no earlier" in note for note in evaluation_of(after)["notes"])
    assert pushed(tmp_path / "push", "ecg_anomaly_detector")[0] == version
    assert len(pushed(tmp_path / "push", "ecg_anomaly_detector")) == 2


def test_images_without_spans_are_pushed_and_nobody_is_notified(
    aepipe: Aepipe, small_sample: Path, tmp_path: Path, webhook: Webhook
) -> None:
    server = compiled(
        aepipe, tmp_path, "basic", "--data-uri", small_sample, *FEW_EPOCHS,
        *WEBHOOK, secrets=secret_of(webhook),
    )  # fmt: skip

    done = server.run()

    (version,) = pushed(tmp_path / "push", "basic_autoencoder")
    manifest = tmp_path / "push" / "basic_autoencoder" / str(version) / "aepipe.json"
    assert json.loads(manifest.read_text())["pipeline"] == "basic"
    read = json.loads(done["ResolveData"].parameters["span_window"].string_value)
    assert sorted(read["spans"][0]["files"]) == ["eval", "train"]
    pushed_model = done["VersionedPusher"].artifacts["pushed_model"]
    assert pushed_model.metadata["pushed_version"] == str(version)
    # The exit handler found what the last stage recorded, and left nothing behind.
    recorded = logged_outcome(done["NotifyWebhook"])
    assert recorded["status"] == "pushed"
    assert recorded["pushed"] == str(manifest.parent)
    assert recorded["metrics"]["val_loss"] == evaluation_of(done)["metrics"]["val_loss"]
    assert set(recorded["data"]["examples"]) == {"train", "eval"}
    assert webhook.received == []
    assert list((tmp_path / "push" / ".runs").iterdir()) == []
    assert [entry["model"] for entry in listed(aepipe, tmp_path)] == ["basic_autoencoder"]


def test_a_bad_span_stops_the_run_at_the_gate_and_the_webhook_gets_the_reason(
    aepipe: Aepipe, ecg_rows: list[str], tmp_path: Path, webhook: Webhook
) -> None:
    data = tmp_path / "data"
    write_span(data, 1, ecg_rows[: len(ecg_rows) // 2])
    scaled = [
        ",".join([*(str(3 * float(v)) for v in row.split(",")[:-1]), row.split(",")[-1]])
        for row in ecg_rows[len(ecg_rows) // 2 :]
    ]
    write_span(data, 2, scaled)
    server = compiled(
        aepipe, tmp_path, "anomaly", "--data-uri", data, "--spans", "number",
        *WEBHOOK, secrets=secret_of(webhook),
    )  # fmt: skip

    with pytest.raises(StepFailedError) as stopped:
        server.run()

    assert stopped.value.task == "DataGate"
    _, _, refusal = stopped.value.log.splitlines()[-1].partition("GateRefusalError: ")
    assert "signal" in refusal
    ((_, body),) = webhook.received
    (run,) = body["runs"]
    assert (run["pipeline"], run["status"]) == ("anomaly", "data_refused")
    assert run["reasons"] == [f"DataGate: {refusal}"]
    (run_folder,) = (tmp_path / "root" / "anomaly").iterdir()
    assert run["run_id"] == run_folder.name
    assert list((tmp_path / "push").rglob("*")) == [tmp_path / "push" / ".runs"]


def test_an_empty_data_folder_is_named(aepipe: Aepipe, tmp_path: Path, webhook: Webhook) -> None:
    (tmp_path / "data" / "ecg").mkdir(parents=True)
    server = compiled(
        aepipe, tmp_path, "anomaly", "--data-uri", tmp_path / "data",
        *WEBHOOK, secrets=secret_of(webhook),
    )  # fmt: skip

    with pytest.raises(StepFailedError) as stopped:
        server.run()

    assert stopped.value.task == "ResolveData"
    expected = f"{tmp_path}/data/ecg/*.csv{{,.gz}}: no file matches"
    assert expected in stopped.value.log
    ((_, body),) = webhook.received
    (run,) = body["runs"]
    assert run["status"] == "failed"
    assert run["reasons"] == [f"ResolveData: {expected}: put data there"]
