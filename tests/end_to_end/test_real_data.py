"""The tutorial's own files: what the pipelines reach on them. Set AEPIPE_DATA to their folder."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("AEPIPE_DATA"), reason="AEPIPE_DATA names no folder of real files"
    ),
]

PEAK_MEMORY_KB = 2_500_000


def _run(home: Path, *arguments: str) -> tuple[dict[str, Any], int]:
    """Returns a run's outcome and its peak memory in kB, from a process of its own."""
    output = home.with_suffix(".json")
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "run", "--json", "--home", str(home), *arguments],
            stdout=file,
        )
        _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    outcome: dict[str, Any] = json.loads(output.read_text())["runs"][0]
    return outcome, usage.ru_maxrss


def test_anomaly_reaches_the_tutorials_figures(tmp_path: Path) -> None:
    outcome, _ = _run(tmp_path / "home", "anomaly", "--set", "data.split=tutorial")
    assert outcome["data"]["examples"] == {"train": 3998, "eval": 1000}
    assert outcome["metrics"]["accuracy"] >= 0.940
    assert outcome["metrics"]["precision"] >= 0.990
    assert outcome["metrics"]["recall"] >= 0.900
    assert outcome["status"] == "pushed"


def test_basic_reaches_the_tutorials_figures_in_bounded_memory(tmp_path: Path) -> None:
    outcome, peak = _run(tmp_path / "home", "basic")
    assert outcome["data"]["examples"] == {"train": 60000, "eval": 10000}
    assert outcome["metrics"]["val_loss"] <= 0.0090
    assert outcome["status"] == "pushed"
    assert peak < PEAK_MEMORY_KB


def test_denoise_reaches_the_tutorials_figures(tmp_path: Path) -> None:
    outcome, _ = _run(tmp_path / "home", "denoise")
    assert outcome["metrics"]["val_loss"] <= 0.0073
    assert outcome["metrics"]["psnr_gain_db"] > 5
    assert outcome["status"] == "pushed"


@pytest.mark.parametrize(
    ("pipeline", "epochs", "bound"), [("basic_plus", 3, 0.0080), ("denoise_plus", 2, 0.0060)]
)
def test_plus_models_pass_the_tutorials_figures_within_a_few_epochs(
    pipeline: str, epochs: int, bound: float, tmp_path: Path
) -> None:
    outcome, _ = _run(tmp_path / "home", pipeline, "--set", f"trainer.epochs={epochs}")
    assert outcome["metrics"]["val_loss"] <= bound
    assert outcome["status"] == "pushed"
