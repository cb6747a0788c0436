"""What runs again when something changes, according to MLMD's executions."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto.metadata_store_pb2 import Execution

from tests.conftest import Aepipe, run_command
from tests.end_to_end.metadata import STAGES, executed, pushed_versions, states

REPOSITORY = Path(__file__).parents[2]
MODEL = "ecg_anomaly_detector"
ALL = [stage for stage in STAGES if stage != "BaselineResolver"]
FROM_EVALUATOR = ["ThresholdEvaluator", "InfraValidator", "VersionedPusher"]
FROM_TRAINER = ["Trainer", *FROM_EVALUATOR]


@pytest.fixture(scope="module")
def ecg(small_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory of its own, to write to."""
    return Path(shutil.copytree(small_sample / "ecg", tmp_path_factory.mktemp("data") / "ecg"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests, so that each runs only the stages that it is about."""
    return tmp_path_factory.mktemp("home")


def _arguments(home: Path, data: Path) -> list[str]:
    settings = ("trainer.batch_size=64", "trainer.epochs=12", "evaluator.baseline_tolerance=1")
    return run_command("anomaly", home, data, settings, "--json")


@pytest.mark.slow
def test_each_change_runs_what_follows_from_it(aepipe: Aepipe, ecg: Path, home: Path) -> None:
    def run(*more: str) -> tuple[list[str], dict[str, Any]]:
        result = aepipe(*_arguments(home, ecg), *more)
        assert result.exit_code == 0, result.err + result.out
        (outcome,) = result.runs
        return executed(home, outcome), {key: outcome[key] for key in ("metrics", "threshold")}

    stages, first = run()
    assert stages == ALL
    assert run() == ([], first)
    assert run("--set", "pusher.keep=3") == (["VersionedPusher"], first)
    stages, stricter = run("--set", "evaluator.threshold_k=1.1")
    assert stages == FROM_EVALUATOR
    assert stricter["threshold"] > first["threshold"]
    stages, other_seed = run("--set", "trainer.seed=7")
    assert stages == FROM_TRAINER
    assert other_seed["metrics"] != first["metrics"]
    assert run("--from", "Trainer") == (FROM_TRAINER, first), "the same seed, another model"
    assert run("--no-cache") == (ALL, first), "the same seed, another model"

    file = ecg / "ecg.csv"
    rows = file.read_text().splitlines()
    file.write_text("\n".join([*rows[50:], *rows[:40]]) + "\n")
    assert run()[0] == [stage for stage in ALL if stage != "SchemaGen"]
    assert run()[0] == []
    versions = pushed_versions(home, MODEL)
    assert len(versions) == 5  # pusher.keep
    assert len(set(versions)) == 5


@pytest.mark.slow
def test_an_edit_of_a_model_runs_the_trainer_again_and_not_the_ingestion(
    ecg: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    for folder in ("pipeline", "components", "trainer", "data", "serving"):
        shutil.copytree(
            REPOSITORY / folder,
            source / folder,
            ignore=shutil.ignore_patterns("raw", "sample", "__pycache__"),
        )
    shutil.copy(REPOSITORY / "pipeline_config.py", source)
    home = tmp_path / "home"

    def run() -> dict[str, Any]:
        command = [sys.executable, "-m", "pipeline", *_arguments(home, ecg)]
        result = subprocess.run(command, cwd=source, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        outcome: dict[str, Any] = json.loads(result.stdout)["runs"][0]
        return outcome

    assert executed(home, run()) == ALL
    models = source / "trainer" / "models.py"
    models.write_text(models.read_text() + "\n# edited\n")
    edited = run()
    assert executed(home, edited) == FROM_TRAINER
    assert edited["status"] == "pushed"
    assert len(pushed_versions(home, MODEL)) == 2


@pytest.mark.slow
def test_a_run_killed_in_the_trainer_pushes_nothing_and_the_next_one_goes_on(
    aepipe: Aepipe, ecg: Path, home: Path
) -> None:
    assert aepipe(*_arguments(home, ecg)).exit_code == 0
    before = pushed_versions(home, MODEL)
    long = ["--set", "trainer.epochs=300"]
    arguments = [part for part in _arguments(home, ecg) if part != "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments, *long],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "✓ Transform" in line:
                break
        while Execution.RUNNING not in states(home, "anomaly"):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert pushed_versions(home, MODEL) == before
    assert Execution.RUNNING in states(home, "anomaly")

    result = aepipe(*_arguments(home, ecg), *long)
    assert result.exit_code == 0, result.err
    assert executed(home, result.runs[0]) == FROM_TRAINER
    assert Execution.RUNNING not in states(home, "anomaly")
    assert pushed_versions(home, MODEL)[-1] not in before


AFTER_THE_PUSH = """
import os, signal, sys
from components.versioned_pusher import component
def end(*_, **__):
    EVENT
component.Executor._MarkPushed = end
from pipeline.cli import main
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("event", "k"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "1.2"),
        ("raise OSError(28, 'No space left on device')", "1.3"),
    ],
    ids=["killed", "full disk"],
)
def test_a_push_of_which_the_record_was_lost_is_not_made_twice(
    aepipe: Aepipe, ecg: Path, home: Path, event: str, k: str
) -> None:
    command = [*_arguments(home, ecg), "--set", f"evaluator.threshold_k={k}"]
    assert aepipe(*_arguments(home, ecg)).exit_code == 0
    before = set(pushed_versions(home, MODEL))
    ended = subprocess.run(
        [sys.executable, "-c", AFTER_THE_PUSH.replace("EVENT", event), *command],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in ended.stderr
    (version,) = set(pushed_versions(home, MODEL)) - before

    result = aepipe(*command)

    assert result.exit_code == 0, result.err
    assert executed(home, result.runs[0]) == ["VersionedPusher"]
    assert set(pushed_versions(home, MODEL)) - before == {version}
    assert Path(result.runs[0]["pushed"]).name == str(version)
    (notice,) = [line for line in result.runs[0]["notices"] if "not pushed twice" in line]
    assert f"had pushed this model as {version}" in notice
    assert aepipe(*command).runs[0]["status"] == "unchanged"
