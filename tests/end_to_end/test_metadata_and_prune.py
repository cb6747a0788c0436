"""Whole runs around a metadata file that breaks, and in a home that is pruned."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from pipeline.home import Home
from pipeline.run.lineage import open_store, run_executions
from tests.conftest import Aepipe, Result, run_command
from tests.end_to_end.metadata import executed, pushed_versions
from tests.pipeline.broken_metadata import FAULTS, held_by_another_process, put_executions
from tests.pipeline.conftest import LENGTH, write_waves

MODEL = "ecg_anomaly_detector"
SETTINGS = (
    f"data.length={LENGTH}",
    "trainer.batch_size=16",
    "trainer.epochs=8",
    "evaluator.baseline_tolerance=9",
    "infra_validator.enabled=false",
)
REPOSITORY = Path(__file__).parents[2]


class Anomaly:
    """Runs of `anomaly` in one home."""

    def __init__(self, aepipe: Aepipe, directory: Path) -> None:
        self._aepipe = aepipe
        self.home = Home(directory / "home")
        self._data = write_waves(directory / "waves" / "ecg")

    def arguments(self, *settings: str) -> list[str]:
        return run_command("anomaly", self.home.root, self._data, (*SETTINGS, *settings))

    def run(self, *settings: str, more: Iterable[str] = ()) -> Result:
        return self._aepipe(*self.arguments(*settings), "--json", *more)

    def start(self) -> "subprocess.Popen[str]":
        """Starts a run in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *self.arguments()],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def other(self, *arguments: str) -> Result:
        return self._aepipe(*arguments, "--home", self.home.root)


@pytest.fixture
def anomaly(aepipe: Aepipe, tmp_path: Path) -> Anomaly:
    return Anomaly(aepipe, tmp_path)


@pytest.mark.slow
def test_after_a_repair_the_next_run_starts_anew_and_pushes(anomaly: Anomaly) -> None:
    assert anomaly.run().runs[0]["status"] == "pushed"
    FAULTS["emptied"][0](anomaly.home.metadata_path("anomaly"))
    refused = anomaly.run()
    assert refused.exit_code == 2
    assert "aepipe doctor --repair" in refused.runs[0]["reasons"][0]
    assert len(pushed_versions(anomaly.home.root, MODEL)) == 1

    assert anomaly.other("doctor", "--repair", "anomaly").exit_code == 0
    anew = anomaly.run()
    assert anew.exit_code == 0, anew.err
    assert anew.runs[0]["cached"] == []
    assert len(pushed_versions(anomaly.home.root, MODEL)) == 2
    assert anomaly.run().runs[0]["status"] == "unchanged"


@pytest.mark.slow
def test_a_file_that_breaks_in_the_middle_of_a_run_is_one_line(anomaly: Anomaly) -> None:
    process = anomaly.start()
    assert process.stdout is not None
    for line in process.stdout:
        if "StatisticsGen" in line:
            FAULTS["random bytes"][0](anomaly.home.metadata_path("anomaly"))
            break
    _, err = process.communicate()
    assert process.returncode == 2, err
    (line,) = err.splitlines()
    assert str(anomaly.home.metadata_path("anomaly")) in line
    assert "aepipe doctor --repair" in line
    assert pushed_versions(anomaly.home.root, MODEL) == []


@pytest.mark.slow
def test_a_pruned_home_goes_on(anomaly: Anomaly) -> None:
    home = anomaly.home
    first = anomaly.run().runs[0]
    second = anomaly.run("evaluator.threshold_k=1.1").runs[0]
    third = anomaly.run("evaluator.threshold_k=1.2", "trainer.epochs=7").runs[0]
    assert [run["status"] for run in (first, second, third)] == ["pushed"] * 3
    assert anomaly.other("models", "prune", MODEL, "--keep", "1").exit_code == 0

    result = anomaly.other("runs", "prune", "anomaly", "--keep", "1", "--json")
    (pruned,) = json.loads(result.out)["pruned"]
    assert pruned["removed"] == [second["run_id"], first["run_id"]]
    assert pruned["freed_bytes"] > 0
    assert anomaly.other("doctor", "anomaly").exit_code == 0

    # The newest run's cache is whole; what went is made again.
    assert (
        anomaly.run("evaluator.threshold_k=1.2", "trainer.epochs=7").runs[0]["status"]
        == "unchanged"
    )
    again = anomaly.run("evaluator.threshold_k=1.1").runs[0]
    assert again["status"] == "pushed"
    assert executed(home.root, again) == ["Trainer", "ThresholdEvaluator", "VersionedPusher"]
    store = open_store(home, "anomaly")
    evaluation = run_executions(store, again["run_id"])["ThresholdEvaluator"][-1]
    (baseline,) = [
        event.artifact_id
        for event in store.get_events_by_execution_ids([evaluation.id])
        if event.path.steps[0].key == "baseline_model"
    ]
    assert Path(store.get_artifacts_by_id([baseline])[0].uri).is_dir()
    assert anomaly.run("evaluator.threshold_k=1.3", more=["--no-cache"]).exit_code == 0
    for run in (third, again):
        assert anomaly.other("report", run["run_id"]).exit_code == 0
        assert anomaly.other("show", run["run_id"]).exit_code == 0

    keep = ("schedule.keep_runs=2", "pusher.keep=1")
    for k in ("1.4", "1.5"):
        assert anomaly.run(f"evaluator.threshold_k={k}", *keep).runs[0]["status"] == "pushed"
    assert len(list(home.runs.iterdir())) == 2
    evaluations = home.artifacts("anomaly") / "ThresholdEvaluator" / "evaluation"
    assert len(list(evaluations.iterdir())) == 2
    assert anomaly.run("evaluator.threshold_k=1.5", *keep).runs[0]["status"] == "unchanged"


@pytest.mark.slow
def test_a_file_that_is_held_in_the_middle_of_a_run_ends_it_in_one_line(anomaly: Anomaly) -> None:
    anomaly.home.metadata_path("anomaly").parent.mkdir(parents=True)
    put_executions(anomaly.home.metadata_path("anomaly"), 1)
    process = anomaly.start()
    assert process.stdout is not None
    for line in process.stdout:
        # Before a stage: TFX itself waits for minutes if it happens within one.
        if "data: " in line:
            break
    with held_by_another_process(anomaly.home.metadata_path("anomaly")):
        _, err = process.communicate()
    assert process.returncode == 2, err
    (line,) = err.splitlines()
    assert "another process holds this database" in line
