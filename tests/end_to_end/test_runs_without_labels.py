"""Heartbeats without labels, and with every other label empty, from the file to the server."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from data.sample import write_sample
from pipeline_config import ANOMALY
from tests.conftest import Aepipe, run_command
from tests.serving.conftest import running_server

pytestmark = pytest.mark.slow

MODEL = ANOMALY.pusher.model_name
ANOMALIES = 0.05
"""Share of abnormal beats: without labels, what is trained on is presumed normal."""

QUICK = ("trainer.batch_size=64", "trainer.epochs=12", "evaluator.threshold_k=2")


@pytest.fixture(scope="module")
def beats(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Rows of 140 samples and a label, few of them abnormal."""
    folder = tmp_path_factory.mktemp("beats")
    write_sample(ANOMALY, folder)
    rows = np.loadtxt(folder / "ecg" / "ecg.csv", delimiter=",", max_rows=2500)
    normal, abnormal = rows[rows[:, -1] == 1], rows[rows[:, -1] == 0]
    few = abnormal[: int(ANOMALIES * len(normal))]
    mixed: np.ndarray = np.random.default_rng(0).permutation(np.concatenate([normal, few]))
    return mixed


def write(path: Path, beats: np.ndarray, labels: list[str]) -> Path:
    path.parent.mkdir(parents=True)
    with path.open("w") as file:
        for row, label in zip(beats[:, :-1], labels, strict=True):
            file.write(",".join(f"{value:.6g}" for value in row) + label + "\n")
    return path


def test_a_run_without_labels_is_judged_pushed_and_served(
    beats: np.ndarray, tmp_path: Path, aepipe: Aepipe
) -> None:
    file = write(tmp_path / "data" / "ecg" / "beats.csv", beats, [""] * len(beats))
    home = tmp_path / "home"
    settings = ("data.label=none", *QUICK)

    result = aepipe(*run_command("anomaly", home, file.parent, settings, "--json"))

    (run,) = result.runs
    assert (run["status"], result.exit_code) == ("pushed", 0), run["reasons"]
    assert f"{len(beats):,} unlabelled" in result.err
    assert set(run["metrics"]) == {"val_loss", "alarm_rate"}
    assert 0 <= run["metrics"]["alarm_rate"] <= 0.2
    assert run["classes"] == {}
    assert {(one["metric"], one["side"], one["value"]) for one in run["bounds"]} == {
        ("alarm_rate", "lower", 0.0),
        ("alarm_rate", "upper", 0.2),
    }
    counts = run["data"]["labels"]
    assert sum(split["unlabelled"] for split in counts.values()) == len(beats)
    page = Path(run["report"]).read_text()
    assert "no eval example has a label" in page.lower()
    assert "alarm_rate" in page
    assert "Confusion matrix" not in page

    listed = aepipe("models", "list", "--home", home)
    assert f"val_loss {run['metrics']['val_loss']:.4g}" in listed.out
    shown = json.loads(aepipe("show", run["run_id"], "--home", home).out)
    assert shown["metrics"] == run["metrics"]
    assert aepipe("runs", "--home", home).exit_code == 0

    scores = tmp_path / "scores.csv"
    scored = aepipe("predict", "anomaly", file, "--home", home, "--out", scores)
    assert scored.exit_code == 0, scored.err
    header, *lines = scores.read_text().splitlines()
    assert len(lines) == len(beats)
    with running_server(home / "serving") as server:
        answer = server.predict(beats[:3, :-1], MODEL)
        assert MODEL in server.get("/metrics").text
    errors = [float(line.split(",")[header.split(",").index("error")]) for line in lines[:3]]
    np.testing.assert_allclose(answer["error"], errors, rtol=1e-4)

    # Trained anew, it is compared with what was pushed by the loss, as there is no f1.
    again = aepipe(
        *run_command("anomaly", home, file.parent, (*settings, "trainer.epochs=1"), "--json")
    )
    (worse,) = again.runs
    assert (worse["status"], again.exit_code) == ("not_blessed", 3)
    assert any(reason.startswith("val_loss ") for reason in worse["reasons"])
    assert "the baseline is compared by val_loss" in Path(worse["report"]).read_text()


def test_a_run_with_half_the_labels_is_judged_by_them(
    beats: np.ndarray, tmp_path: Path, aepipe: Aepipe
) -> None:
    names = {1: "1", 0: "2"}
    labels = [
        f",{names[int(label)]}" if number % 2 else ","
        for number, label in enumerate(beats[:, -1].tolist())
    ]
    file = write(tmp_path / "data" / "ecg" / "beats.csv", beats, labels)
    home = tmp_path / "home"

    result = aepipe(*run_command("anomaly", home, file.parent, QUICK, "--json"))

    (run,) = result.runs
    assert (run["status"], result.exit_code) == ("pushed", 0), run["reasons"]
    assert {"accuracy", "roc_auc", "val_loss", "alarm_rate"} < set(run["metrics"])
    counts = run["data"]["labels"]["eval"]
    eval_rows = run["data"]["examples"]["eval"]
    assert counts["normal"] + counts["abnormal"] + counts["unlabelled"] == eval_rows
    assert {name: of["examples"] for name, of in run["classes"].items()} == {
        "1": counts["normal"],
        "2": counts["abnormal"],
    }
    recall = run["classes"]["2"]["recall"]
    assert math.isclose(recall, run["metrics"]["anomaly_recall"])
    assert ("roc_auc", "default") in {(one["metric"], one["origin"]) for one in run["bounds"]}
