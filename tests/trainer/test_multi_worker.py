"""Two processes on loopback train as one does, and end when one of them is lost."""

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loopback_cluster import Cluster
from trained import assert_close, history, weights
from transformed_data import Transformed, arguments, train_in

from tests.conftest import Aepipe, Result

pytestmark = pytest.mark.slow

SETTINGS: dict[str, Any] = {
    "model": "AnomalyDetector",
    "loss": "mae",
    "detector": True,
    # 160 examples: the last batch is of one, and the second worker has none of it.
    "batch_size": 53,
    "epochs": 40,
    "learning_rate": 0.02,
    "early_stopping_patience": 3,
    "steps_per_execution": 3,
}
ENDLESS = SETTINGS | {"epochs": 100_000, "early_stopping_patience": 0}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with contextlib.ExitStack() as stack:
        yield Cluster(tmp_path, stack)


def last_lines(*processes: subprocess.Popen[str]) -> list[str]:
    """Waits for the ends and returns the last line that each wrote to stderr."""
    return [process.communicate()[1].strip().splitlines()[-1] for process in processes]


def files_below(*folders: Path) -> list[Path]:
    return sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())


def test_two_workers_train_as_one_and_one_model_is_written(
    beats: Transformed, tmp_path: Path, cluster: Cluster
) -> None:
    one = train_in(tmp_path / "one", beats, **SETTINGS)

    trained = []
    for name in ("two", "again"):
        call = arguments(tmp_path / name, beats, **SETTINGS, distribution="multi_worker")
        chief, worker = cluster.chief(call), cluster.worker()
        _, chief_log = chief.communicate()
        _, worker_log = worker.communicate()
        assert chief.returncode == 0, chief_log[-3000:]
        assert worker.returncode == 0, worker_log[-3000:]
        trained.append(tmp_path / name)
    two, again = trained

    # Early stopping with the best weights ended both in the same epoch.
    assert 4 < len(history(one)["loss"]) < 40
    assert_close(one, two)
    assert history(two) == history(again)
    for left, right in zip(weights(two), weights(again), strict=True):
        np.testing.assert_array_equal(left, right)
    assert len(list(tmp_path.glob("two/**/saved_model.pb"))) == 1
    assert {file.name for file in files_below(two / "run") if "tfevents" not in file.name} == {
        "history.json"
    }
    assert files_below(tmp_path / "chief", tmp_path / "worker") == []
    assert not cluster.file.exists()
    # What is served may run anywhere.
    assert b"/job:" not in (two / "model" / "saved_model.pb").read_bytes()


@pytest.mark.parametrize("lost", ["worker", "chief"])
def test_a_process_that_dies_ends_the_other(
    lost: str, beats: Transformed, tmp_path: Path, cluster: Cluster
) -> None:
    call = arguments(tmp_path / "t", beats, **ENDLESS, distribution="multi_worker")
    processes = {"chief": cluster.chief(call), "worker": cluster.worker()}
    while not list((tmp_path / "t" / "run").glob("train/events*")):
        assert all(process.poll() is None for process in processes.values())
        time.sleep(0.1)
    time.sleep(1)

    processes.pop(lost).kill()
    ((left, process),) = processes.items()
    (told,) = last_lines(process)

    assert f"{left} 0 ({cluster.addresses[left][0]}): lost another worker (" in told
    assert process.returncode == (1 if left == "chief" else 2)
    assert not (tmp_path / "t" / "model").exists()


def test_a_worker_that_never_comes_is_not_waited_for_for_ever(
    beats: Transformed, tmp_path: Path, cluster: Cluster
) -> None:
    call = arguments(tmp_path / "t", beats, **SETTINGS, distribution="multi_worker")

    (told,) = last_lines(cluster.chief(call, wait=5))

    assert "UserInputError: not all of TF_CONFIG's cluster came within 5 s" in told
    assert not cluster.file.exists()


def test_workers_with_different_trainings_do_not_start(
    beats: Transformed, tmp_path: Path, cluster: Cluster
) -> None:
    call = arguments(tmp_path / "t", beats, **SETTINGS, distribution="multi_worker")
    stale = tmp_path / "stale.json"
    stale.write_text(json.dumps(call | {"train_files": beats.files("eval")}))

    told = last_lines(cluster.chief(call), cluster.worker(stale))

    assert all("the workers were given different trainings" in line for line in told)
    assert not (tmp_path / "t" / "model").exists()


def test_a_port_that_is_taken_is_reported(
    beats: Transformed, tmp_path: Path, cluster: Cluster
) -> None:
    call = arguments(tmp_path / "t", beats, **SETTINGS, distribution="multi_worker")
    host, port = cluster.addresses["chief"][0].split(":")
    with socket.create_server((host, int(port))):
        (told,) = last_lines(cluster.chief(call))

    assert "this process's own port is taken" in told


def test_a_run_leads_and_pushes_what_one_machine_would(
    aepipe: Aepipe,
    small_sample: Path,
    tmp_path: Path,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(home: str, distribution: str) -> Result:
        return aepipe(
            *("run", "anomaly", "--json", "--data-dir", small_sample, "--home", tmp_path / home),
            *("--set", "trainer.batch_size=64", "--set", "trainer.epochs=12"),
            *("--set", f"trainer.distribution={distribution}"),
        )

    one = run("one", "none")
    for name, value in cluster.environment("chief", wait=5).items():
        monkeypatch.setenv(name, value)
    alone = run("two", "multi_worker")
    monkeypatch.setenv("AEPIPE_WORKER_WAIT", "300")
    worker = cluster.worker()
    two = run("two", "multi_worker")
    _, worker_log = worker.communicate()

    assert alone.exit_code == 2
    assert "not all of TF_CONFIG's cluster came within 5 s" in alone.runs[0]["reasons"][0]
    assert worker.returncode == 0, worker_log[-3000:]
    assert two.exit_code == 0, two.out + two.err
    assert len(list((tmp_path / "two" / "serving").glob("*/*/saved_model.pb"))) == 1
    # 12 epochs of 64 examples a step let the rounding grow to 1.4e-4.
    val_loss = one.runs[0]["metrics"]["val_loss"]
    assert two.runs[0]["metrics"]["val_loss"] == pytest.approx(val_loss, rel=1e-3)
    assert two.runs[0]["threshold"] == pytest.approx(one.runs[0]["threshold"], rel=1e-3)
