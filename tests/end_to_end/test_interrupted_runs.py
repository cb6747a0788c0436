"""A signal at any moment of a run: it ends, is recorded, pushes nothing, and the next goes on."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.home import Home
from pipeline.run.history import past_runs
from pipeline.run.outcome import RunOutcome
from tests.conftest import run_command
from tests.end_to_end.metadata import pushed_versions

REPOSITORY = Path(__file__).parents[2]
MODEL = "ecg_anomaly_detector"

SECONDS = 10.0
"""An upper bound on a machine that does other things too; it takes less than 5 s."""

SETTINGS = ("trainer.batch_size=64", "trainer.epochs=3")

MOMENTS = {
    "loading": ("loading TensorFlow", 1.0),
    "ExampleGen": ("loading TensorFlow", None),
    "StatisticsGen": ("✓ SchemaGen", 0.5),
    "Transform": ("✓ DataGate", 1.0),
    "Trainer": ("✓ Transform", 1.5),
    "ThresholdEvaluator": ("✓ BaselineResolver", 0.5),
    "InfraValidator": ("✓ ThresholdEvaluator", 1.5),
    "VersionedPusher": ("✓ InfraValidator", 0.05),
}
"""Moment -> a line of the run that comes before it, and seconds from there."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all moments, so that each run begins with what the one before has done."""
    return tmp_path_factory.mktemp("interrupted")


def command(home: Path, data: Path, *more: str) -> list[str]:
    arguments = run_command("anomaly", home, data, SETTINGS, *more)
    return [sys.executable, "-m", "pipeline", *arguments]


def environment(home: Path) -> dict[str, str]:
    folder = home / "tmp"
    folder.mkdir(exist_ok=True)
    return {**os.environ, "TMPDIR": str(folder)}


def outcomes(home: Path) -> dict[str, RunOutcome]:
    return {outcome.run_id: outcome for outcome in past_runs(Home(home))}


def wait_for(process: subprocess.Popen[str], home: Path, line: str, seconds: float | None) -> None:
    assert process.stdout is not None
    for printed in process.stdout:
        if line in printed:
            break
    if seconds is not None:
        time.sleep(seconds)
        return
    (log,) = [path for path in (home / "runs").glob("*/log.txt") if is_open(path)]
    while "ExampleGen is running" not in log.read_text():
        assert process.poll() is None
        time.sleep(0.05)


def is_open(log: Path) -> bool:
    outcome = log.with_name("run.json")
    return time.time() - outcome.stat().st_mtime < 60 and outcome.with_suffix(".partial").exists()


@pytest.fixture
def family() -> Iterator[list[psutil.Process]]:
    """Processes that have to be gone at the end."""
    processes: list[psutil.Process] = []
    yield processes
    _, alive = psutil.wait_procs(processes, timeout=SECONDS)
    assert not alive


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "number"),
    zip(MOMENTS, itertools.cycle([signal.SIGINT, signal.SIGTERM]), strict=False),
)
def test_a_signal_ends_a_run(
    moment: str,
    number: signal.Signals,
    home: Path,
    small_sample: Path,
    family: list[psutil.Process],
) -> None:
    before = outcomes(home)
    more = () if moment == "loading" else ("--from", moment)
    with subprocess.Popen(
        command(home, small_sample, *more),
        cwd=REPOSITORY,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(process, home, *MOMENTS[moment])
        family += [psutil.Process(process.pid), *psutil.Process(process.pid).children(True)]
        process.send_signal(number)
        start = time.monotonic()
        _, err = process.communicate(timeout=60)
        assert time.monotonic() - start < SECONDS
    versions = pushed_versions(home, MODEL)
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err
    (line,) = err.splitlines()
    runs = outcomes(home)
    (run_id,) = runs.keys() - before.keys()
    assert line.startswith(f"aepipe: {run_id}")
    assert number.name in line
    assert list((home / "tmp").iterdir()) == []
    pushed = {run.pushed.rpartition("/")[2] for run in runs.values() if run.pushed}
    assert {str(version) for version in versions} == pushed
    if moment == "VersionedPusher":
        assert runs[run_id].status in ("interrupted", "pushed")
    else:
        assert runs[run_id].status == "interrupted"
        assert runs[run_id].pushed is None
    if moment not in ("loading", "ExampleGen"):
        assert moment in line


@pytest.mark.slow
def test_the_run_after_all_of_them_ends_well(home: Path, small_sample: Path) -> None:
    done = subprocess.run(
        command(home, small_sample, "--json"),
        cwd=REPOSITORY,
        env=environment(home),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert run["status"] == "pushed"
    # One in all, whether or not the signal to the pusher came before its rename.
    assert len(pushed_versions(home, MODEL)) == 1
    assert list((home / "tmp").iterdir()) == []
