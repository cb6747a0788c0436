"""Memory does not grow with the file."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.pipeline.scoring.tiny_series import make_series, push_series_model
from tests.pipeline.scoring.tiny_served import (
    SHAPE,
    TinyDetector,
    as_lines,
    idx_bytes,
    make_signals,
    push,
)

MEBI = 1 << 20

PEAK = """
import sys
from pathlib import Path
from pipeline.cli import main
try:
    main(sys.argv[1:])
finally:
    status = Path("/proc/self/status").read_text()
    print(status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
"""
"""Not `ru_maxrss`, which begins with the memory of the process that started this one."""


def write_signals(path: Path, size: int) -> int:
    """Writes about `size` bytes of rows of 140 samples; one in a thousand is bad."""
    block = "\n".join([*as_lines(make_signals(999, length=140)), "bad"]).encode() + b"\n"
    count = size // len(block)
    with path.open("wb") as file:
        for _ in range(count):
            file.write(block)
    return 999 * count


def write_images(path: Path, size: int) -> int:
    count = size // int(np.prod(SHAPE))
    images = np.random.default_rng(1).integers(0, 256, (count, *SHAPE), dtype=np.uint8)
    path.write_bytes(idx_bytes(images))
    return count


def write_pump_series(path: Path, size: int) -> int:
    block = make_series(10_000)
    lines = [f"{flow},{pressure}" for flow, pressure in block.tolist()]
    text = "\n".join(lines) + "\n"
    count = size // len(text)
    with path.open("w") as file:
        file.write("flow,pressure\n")
        for _ in range(count):
            file.write(text)
    return count * len(block)


@pytest.fixture(scope="module")
def served(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wide")
    push(TinyDetector(140), directory, "ecg_anomaly_detector", 1)
    push_series_model(directory, name="pump", step=4)
    (directory / "basic_autoencoder").symlink_to(models / "basic_autoencoder")
    return directory


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "write", "small", "large", "suffix"),
    [
        ("anomaly", write_signals, 10 * MEBI, 300 * MEBI, "csv"),
        ("anomaly", write_signals, 10 * MEBI, 300 * MEBI, "parquet"),
        ("basic", write_images, MEBI, 30 * MEBI, "parquet"),
        ("pump", write_pump_series, 2 * MEBI, 60 * MEBI, "csv"),
        ("pump", write_pump_series, 2 * MEBI, 60 * MEBI, "parquet"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_file_thirty_times_as_large_takes_no_more_memory(
    tmp_path: Path,
    served: Path,
    model: str,
    write: Callable[[Path, int], int],
    small: int,
    large: int,
    suffix: str,
) -> None:
    peaks = []
    for size in (small, large):
        file, output = tmp_path / "given", tmp_path / f"scores.{suffix}"
        expected = write(file, size)
        command = [sys.executable, "-c", PEAK, "predict", model, file, "-o", output, "--json"]
        result = subprocess.run([*command, "--models-dir", served], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        found = json.loads(result.stdout)
        is_series = "points" in found
        assert found["scored" if is_series else "examples"] == expected
        if suffix == "parquet":
            assert (
                len(pd.read_parquet(output, columns=["sample" if is_series else "row"])) == expected
            )
        peaks.append(int(result.stderr.splitlines()[-1]))
        print(size // MEBI, "MiB:", peaks[-1] // 1024, "MiB peak,", found["seconds"], "s")
    assert peaks[1] / peaks[0] < 1.3, peaks
