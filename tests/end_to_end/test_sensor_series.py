"""A sensor's log with times, gaps and two channels: one command from the file to a served model."""

import datetime
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Aepipe, run_command

SAMPLES = 6000
FIRST = datetime.datetime(2026, 1, 1)
SERIES = (
    "data.series=true",
    "data.length=32",
    "data.step=8",
    "data.channels=2",
    "data.label=state",
    "data.normal=ok",
    "data.missing=interpolate",
    "transform.scale=channel",
    "trainer.epochs=12",
    "trainer.batch_size=32",
    "evaluator.threshold_k=3",
)


def _write_log(path: Path) -> None:
    """Two channels with a period of 32 s; in 300 s once a leak or a jam; three hours without."""
    generator = np.random.default_rng(3)
    seconds = np.arange(SAMPLES)
    phase = 2 * np.pi * seconds / 32
    temperature = 1013 + np.sin(phase) + 0.1 * generator.normal(size=SAMPLES)
    flow = 5 + 2 * np.cos(phase) + 0.1 * generator.normal(size=SAMPLES)
    state = np.full(SAMPLES, "ok", dtype="<U4")
    for number, start in enumerate(range(150, SAMPLES, 300)):
        part = slice(start, start + 20)
        state[part] = ("leak", "jam")[number % 2]
        flow[part] -= 6 * (number % 2 == 0)
        temperature[part] += 4 * generator.normal(size=20) * (number % 2)
    lines = ["time,temperature,flow,state"]
    for second in seconds.tolist():
        time = FIRST + datetime.timedelta(seconds=second, hours=second // 1500)
        measured = "" if second % 777 == 5 else f"{flow[second]:.4f}"
        lines.append(f"{time.isoformat()},{temperature[second]:.4f},{measured},{state[second]}")
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_a_log_of_two_channels_becomes_a_pushed_model(aepipe: Aepipe, tmp_path: Path) -> None:
    log = tmp_path / "data" / "ecg" / "sensor.csv"
    _write_log(log)

    result = aepipe(*run_command("anomaly", tmp_path / "home", tmp_path / "data", SERIES, "--json"))

    assert result.exit_code == 0, result.err
    (run,) = result.runs
    assert run["status"] == "pushed", run["reasons"]
    # Four runs of 1500 samples; of the fourth, what lies behind sample 4800 is for eval.
    starts = [1500 * part + start for part in range(4) for start in range(0, 1500 - 32 + 1, 8)]
    assert run["data"]["examples"] == {
        "train": sum(start + 32 <= 4800 - 32 for start in starts),
        "eval": sum(start >= 4800 for start in starts),
    }
    assert run["metrics"]["roc_auc"] > 0.9
    notices = "\n".join(run["notices"])
    assert f"3 gaps in time: no window spans one; the first: {log}, row 1502" in notices
    assert "8 missing values interpolated" in notices
    assert Path(run["pushed"], "saved_model.pb").is_file()
