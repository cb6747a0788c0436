"""What happens to the output folder while a run writes to it: one line, exit code 2, or a push."""

import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.home import Home
from pipeline.runners import local
from tests.conftest import Aepipe, Result, run_command
from tests.end_to_end.metadata import pushed_versions

MODEL = "ecg_anomaly_detector"

SETTINGS = ("trainer.batch_size=64", "trainer.epochs=2")


def mounted(*arguments: str | Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    made = subprocess.run(["mount", *map(str, arguments)], capture_output=True)
    if made.returncode:
        pytest.skip(f"nothing can be mounted here: {made.stderr.decode().strip()}")


@pytest.fixture(scope="module")
def finished_home(tmp_path_factory: pytest.TempPathFactory, small_sample: Path) -> Iterator[Path]:
    """A small disk with a home on which each test runs the last stages again."""
    disk = tmp_path_factory.mktemp("disk")
    mounted("-t", "tmpfs", "-o", "size=64m", "tmpfs", disk)
    yield disk / "home"
    subprocess.run(["umount", "-l", str(disk)], check=True)


@contextlib.contextmanager
def meanwhile(happened: Callable[[], bool], act: Callable[[], object]) -> Iterator[None]:
    """Acts beside the block as soon as something has happened."""
    over = threading.Event()

    def watch() -> None:
        while not happened():
            if over.is_set():
                return
            time.sleep(0.002)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def run(aepipe: Aepipe, home: Path, data: Path, *more: str) -> Result:
    return aepipe(*run_command("anomaly", home, data, SETTINGS, "--json", *more))


def one_line(result: Result) -> str:
    said = [line for line in result.err.splitlines() if line.startswith("aepipe: ")]
    assert "Traceback" not in result.err
    assert len(said) == 1, f"{result.exit_code}\n{result.out}\n{result.err}"
    (line,) = said
    return line


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["ThresholdEvaluator", "VersionedPusher"])
@pytest.mark.parametrize("fault", ["read-only", "removed"])
def test_a_home_that_goes_wrong_in_a_run(
    fault: str,
    stage: str,
    finished_home: Path,
    aepipe: Aepipe,
    small_sample: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = finished_home
    first = run(aepipe, home, small_sample)
    assert first.exit_code == 0, first.err

    aside = home.with_name("aside")

    def spoil() -> None:
        if fault == "removed":
            home.rename(aside)
            return
        subprocess.run(["mount", "--bind", home, home], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", home], check=True)

    started = local.print_stage_started

    def spoil_as_it_starts(console: Console, name: str) -> None:
        started(console, name)
        if name == stage:
            spoil()

    monkeypatch.setattr(local, "print_stage_started", spoil_as_it_starts)
    result = run(aepipe, home, small_sample, "--from", "ThresholdEvaluator")
    if fault == "read-only":
        subprocess.run(["umount", "-l", home], check=True)
    else:
        shutil.rmtree(home, ignore_errors=True)
        aside.rename(home)
    line = one_line(result)
    assert result.exit_code == 2
    assert str(home) in line


@pytest.mark.slow
def test_a_disk_that_is_full_right_after_the_push(
    finished_home: Path, aepipe: Aepipe, small_sample: Path
) -> None:
    home = finished_home
    first = run(aepipe, home, small_sample)
    assert first.exit_code == 0, first.err
    before = set(pushed_versions(home, MODEL))
    ballast = home.parent / "ballast"

    def fill() -> None:
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    with meanwhile(lambda: set(pushed_versions(home, MODEL)) != before, fill):
        result = run(aepipe, home, small_sample, "--from", "Trainer")
    ballast.unlink(missing_ok=True)
    (version,) = set(pushed_versions(home, MODEL)) - before
    assert "Traceback" not in result.err
    assert result.exit_code == 0, result.err
    (outcome,) = result.runs
    assert outcome["status"] == "pushed"
    assert outcome["pushed"].endswith(str(version))
    listed = json.loads(aepipe("runs", "--json", "--home", home).out)["runs"]
    recorded = next(one for one in listed if one["run_id"] == outcome["run_id"])
    assert (recorded["status"], recorded["pushed"]) == ("pushed", outcome["pushed"])
    again = run(aepipe, home, small_sample)
    assert again.exit_code == 0, again.err


@pytest.mark.slow
@pytest.mark.parametrize("command", ["report", "runs", "show", "models"])
def test_commands_on_a_read_only_home(
    command: str, finished_home: Path, aepipe: Aepipe, small_sample: Path
) -> None:
    home = finished_home
    assert run(aepipe, home, small_sample).exit_code == 0
    run_id = max(path.name for path in Home(home).runs.iterdir())
    arguments = {"show": ["show", run_id], "models": ["models", "list"]}.get(command, [command])
    subprocess.run(["mount", "-o", "remount,ro", home.parent], check=True)
    result = aepipe(*arguments, "--home", home)
    subprocess.run(["mount", "-o", "remount,rw", home.parent], check=True)
    if command == "report":
        assert result.exit_code == 2
        assert "read-only" in one_line(result)
    else:
        assert result.exit_code == 0, result.err
