"""Data that arrives in spans, run by run: windows, drift, no new data, what stays served."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipeline.home import Home
from pipeline.run.lineage import open_store, output_artifacts, run_executions
from tests.conftest import Aepipe, Result, run_command
from tests.end_to_end.metadata import executed, pushed_versions

MODEL = "ecg_anomaly_detector"
SHORT = (
    "trainer.batch_size=32",
    "trainer.epochs=10",
    "evaluator.baseline_tolerance=1",
    "infra_validator.enabled=false",
)
ROWS = 300

Change = Callable[[np.ndarray], np.ndarray]


class Feed:
    """A data directory that spans arrive in, and an output folder that runs on it go to."""

    def __init__(self, aepipe: Aepipe, small_sample: Path, folder: Path) -> None:
        self._aepipe = aepipe
        self.data = folder / "data"
        self.home = folder / "home"
        rows = np.loadtxt(small_sample / "ecg" / "ecg.csv", delimiter=",")
        self._rows = np.random.default_rng(0).permutation(rows)

    def deliver(self, name: str, part: int, change: Change = lambda rows: rows) -> Path:
        """Puts `ROWS` rows of the sample, no row in two parts, into a span folder."""
        span = self.data / "ecg" / f"span-{name}"
        span.mkdir(parents=True)
        rows = change(self._rows[part * ROWS : (part + 1) * ROWS])
        np.savetxt(span / "ecg.csv", rows, delimiter=",", fmt="%.8g")
        return span

    def run(self, *options: str) -> Result:
        return self._aepipe(
            *run_command("anomaly", self.home, self.data, SHORT, "--json", *options)
        )

    @property
    def versions(self) -> list[int]:
        return pushed_versions(self.home, MODEL)

    def artifact(self, run_id: str, stage: str, key: str) -> Path:
        store = open_store(Home(self.home), "anomaly")
        return Path(output_artifacts(store, run_executions(store, run_id), stage)[key].uri)


@pytest.fixture
def feed(aepipe: Aepipe, small_sample: Path, tmp_path: Path) -> Feed:
    return Feed(aepipe, small_sample, tmp_path)


def _rescaled(rows: np.ndarray) -> np.ndarray:
    return np.column_stack([3 * rows[:, :-1], rows[:, -1]])


@pytest.mark.slow
def test_a_span_is_pushed_nothing_new_is_not_run_and_a_drifted_one_is_refused(feed: Feed) -> None:
    feed.deliver("1", part=0)
    first = feed.run("--if-new-data")
    assert first.exit_code == 0, first.err
    assert first.runs[0]["status"] == "pushed"
    assert [span["number"] for span in first.runs[0]["data"]["spans"]] == [1]
    pushed = feed.versions
    folders = sorted((feed.home / "runs").iterdir())

    again = feed.run("--if-new-data")
    assert again.exit_code == 0
    (run,) = again.runs
    assert run["status"] == "no new data"
    assert run["run_id"] == first.runs[0]["run_id"]
    assert run["pushed"] == first.runs[0]["pushed"]
    assert set(run["seconds"]) == {"total"}
    assert feed.versions == pushed
    assert sorted((feed.home / "runs").iterdir()) == folders

    feed.deliver("2", part=1, change=_rescaled)
    drifted = feed.run("--if-new-data")
    assert drifted.exit_code == 3
    (run,) = drifted.runs
    assert run["status"] == "data_refused"
    (reason,) = run["reasons"]
    assert "'signal'" in reason
    assert "exceeds gate.drift_threshold=0.03" in reason
    assert "\n" not in reason
    assert feed.versions == pushed
    assert "Transform" not in executed(feed.home, run)

    refused_again = feed.run("--if-new-data")
    assert refused_again.exit_code == 0
    assert refused_again.runs[0]["status"] == "no new data"
    assert reason in refused_again.runs[0]["reasons"][0]


@pytest.mark.slow
def test_a_window_rolls_over_good_refused_and_broken_spans(feed: Feed) -> None:
    window = ("--set", "data.window=2", "--set", "trainer.warm_start=true", "--if-new-data")
    feed.deliver("1", part=0)
    first = feed.run(*window)
    assert first.exit_code == 0, first.err
    assert "data.window=2, but only 1 to read: span 1" in first.runs[0]["notices"]

    feed.deliver("2", part=1)
    second = feed.run(*window)
    assert second.exit_code == 0, second.err
    (run,) = second.runs
    assert [span["name"] for span in run["data"]["spans"]] == ["1", "2"]
    assert run["data"]["previous_span"]["number"] == 1
    assert sum(run["data"]["examples"].values()) == 2 * ROWS
    assert set(run["data"]["drift"]) == {"signal", "label"}
    assert len(feed.versions) == 2
    assert str(feed.versions[-1]) == Path(run["pushed"]).name
    _judged_on_the_same_examples(feed, run["run_id"], feed.versions[0])
    _started_from_the_blessed_model(feed, first.runs[0]["run_id"], run["run_id"])

    broken = feed.deliver("3", part=2)
    (broken / "ecg.csv").write_text("1.0,not a number,0\n")
    failed = feed.run(*window)
    assert failed.exit_code == 2
    assert "span-3/ecg.csv" in failed.runs[0]["reasons"][0]
    assert feed.run(*window).exit_code == 2, "a failure is tried again"

    feed.deliver("4", part=1, change=_rescaled)
    drifted = feed.run(*window)
    assert drifted.exit_code == 3, drifted.out
    assert [span["number"] for span in drifted.runs[0]["data"]["spans"]] == [2, 4]
    assert len(feed.versions) == 2

    feed.deliver("5", part=2)
    third = feed.run(*window)
    assert third.exit_code == 0, third.err
    (run,) = third.runs
    assert [span["number"] for span in run["data"]["spans"]] == [2, 5]
    left_out = [notice for notice in run["notices"] if "is left out" in notice]
    assert [notice.split()[1] for notice in left_out] == ["3", "4"]
    assert len(feed.versions) == 3
    assert feed.versions == sorted(set(feed.versions))


def _judged_on_the_same_examples(feed: Feed, run_id: str, earlier_version: int) -> None:
    """The baseline's figures are those of the served model on the eval split of this run."""
    folder = feed.artifact(run_id, "ExampleGen", "examples") / "Split-eval"
    records = list(
        tf.data.TFRecordDataset(sorted(map(str, folder.iterdir())), "GZIP").as_numpy_iterator()
    )
    label = np.array(
        [
            tf.train.Example.FromString(record).features.feature["label"].int64_list.value[0]
            for record in records
        ]
    )
    served = tf.saved_model.load(str(feed.home / "serving" / MODEL / str(earlier_version)))
    outputs = served.signatures["serve_examples"](examples=tf.constant(records))
    accuracy = np.mean(outputs["is_anomaly"].numpy() == (label == 0))
    judged = feed.artifact(run_id, "ThresholdEvaluator", "evaluation") / "evaluation.json"
    evaluation = json.loads(judged.read_text())
    assert evaluation["examples"]["eval"] == len(records)
    assert evaluation["baseline"]["metrics"]["accuracy"] == pytest.approx(accuracy)


def _started_from_the_blessed_model(feed: Feed, first: str, second: str) -> None:
    losses = []
    for run_id in (first, second):
        history = feed.artifact(run_id, "Trainer", "model_run") / "history.json"
        losses.append(json.loads(history.read_text())["loss"])
    assert losses[1][0] < losses[0][0] / 2


@pytest.mark.slow
def test_spans_named_by_date_and_a_home_that_saw_none_of_them(feed: Feed) -> None:
    for part, name in enumerate(("2024-02-28", "2024-03-01", "2024-03-04")):
        feed.deliver(name, part=part)
    result = feed.run("--set", "data.window=2")
    assert result.exit_code == 0, result.err
    data = result.runs[0]["data"]
    assert [span["name"] for span in data["spans"]] == ["2024-03-01", "2024-03-04"]
    assert data["previous_span"]["name"] == "2024-03-01"
    assert sum(data["examples"].values()) == 2 * ROWS


@pytest.mark.slow
def test_images_in_spans(aepipe: Aepipe, small_sample: Path, tmp_path: Path) -> None:
    spans = tmp_path / "data" / "fashion_mnist"
    for number in ("07", "08"):
        shutil.copytree(small_sample / "fashion_mnist", spans / f"span-{number}")
    settings = (*("trainer.epochs=2", "data.window=2", "infra_validator.enabled=false"),)
    command = run_command("basic", tmp_path / "home", tmp_path / "data", settings, "--json")
    result = aepipe(*command)
    assert result.exit_code == 0, result.err
    data = result.runs[0]["data"]
    assert [span["number"] for span in data["spans"]] == [7, 8]
    assert data["examples"] == {"train": 1200, "eval": 400}
    assert data["drift"] == {"label": 0.0, "pixels": pytest.approx(0.0, abs=1e-6)}

    shutil.copytree(small_sample / "fashion_mnist", spans / "span-09")
    for file in spans.glob("span-09/*images*"):
        content = np.frombuffer(gzip.decompress(file.read_bytes()), np.uint8)
        inverted = np.concatenate([content[:16], 255 - content[16:]])
        file.write_bytes(gzip.compress(inverted.tobytes()))
    drifted = aepipe(*command)
    assert drifted.exit_code == 3
    (reason,) = drifted.runs[0]["reasons"]
    assert "'pixels'" in reason
    assert len(pushed_versions(tmp_path / "home", "basic_autoencoder")) == 1
