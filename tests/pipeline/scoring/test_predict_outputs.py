"""An output is whole under its name, or what was there before."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.pipeline.scoring.conftest import COMMAND, Predict, Predicted, mistake
from tests.pipeline.scoring.tiny_served import as_lines, make_signals, write_csv


def start_and_wait_for_rows(models: Path, output: Path) -> subprocess.Popen[bytes]:
    """Starts a prediction of standard input, which does not end, and waits for its first rows."""
    command = [*COMMAND, "anomaly", "-", "-o", output]
    process = subprocess.Popen([*command, "--models-dir", models], stdin=subprocess.PIPE)
    assert process.stdin is not None
    rows = as_lines(make_signals(30_000))
    process.stdin.write("".join(f"{row}\n" for row in rows).encode())
    deadline = time.monotonic() + 120
    # Of Parquet nothing is on the disk before the first row group.
    is_parquet = output.suffix == ".parquet"
    while not any(
        is_parquet or part.stat().st_size for part in output.parent.glob(".scores.*.part-*")
    ):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return process


@pytest.mark.parametrize(
    ("name", "ended_by"),
    [
        ("scores.csv", signal.SIGKILL),
        pytest.param("scores.parquet", signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param("scores.csv", signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_leaves_what_was_there(
    tmp_path: Path, models: Path, predicted: Predicted, name: str, ended_by: signal.Signals
) -> None:
    output = tmp_path / name
    output.write_bytes(b"former")

    process = start_and_wait_for_rows(models, output)
    work = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(ended_by)
    process.communicate()

    assert process.returncode != 0
    # The command's work ends with it, as soon as the system has taken its memory back.
    _, left = psutil.wait_procs(work, timeout=10)
    assert left == []
    assert output.read_bytes() == b"former"
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == [name]

    # The next run takes the name over, and what the killed one left is gone.
    file = write_csv(tmp_path / "ecg.csv", as_lines(make_signals(20)))
    predicted("anomaly", file, "-o", output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ecg.csv", name]
    read = pd.read_csv if name.endswith("csv") else pd.read_parquet
    assert len(read(output)) == 20


@pytest.mark.slow
def test_a_run_beside_another_one_leaves_its_hidden_file_alone(
    tmp_path: Path, models: Path, predicted: Predicted
) -> None:
    output = tmp_path / "scores.csv"
    process = start_and_wait_for_rows(models, output)
    file = write_csv(tmp_path / "ecg.csv", as_lines(make_signals(20)))
    predicted("anomaly", file, "-o", output)
    assert len(pd.read_csv(output)) == 20

    process.communicate()
    assert process.returncode == 0
    assert len(pd.read_csv(output)) == 30_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)], capture_output=True
    )
    if made.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {made.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk_is_one_line_and_the_former_output_stays(
    tmp_path: Path, small_disk: Path, predict: Predict
) -> None:
    file = write_csv(tmp_path / "ecg.csv", as_lines(make_signals(5000)))
    (small_disk / "scores.csv").write_text("former")
    line = mistake(predict("anomaly", file, "-o", small_disk / "scores.csv"))
    assert line == f"{small_disk}/scores.csv: cannot be written: No space left on device"
    assert [path.name for path in small_disk.iterdir()] == ["scores.csv"]
    assert (small_disk / "scores.csv").read_text() == "former"
