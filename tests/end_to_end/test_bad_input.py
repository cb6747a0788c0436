"""A user's mistake: one clear line, exit code 2 or 3, nothing lost, nothing pushed."""

import gzip
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from components.schema import SCHEMA_DIRECTORY
from pipeline.home import Home
from pipeline_config import ANOMALY
from tests.conftest import Aepipe, Result, run_command
from tests.end_to_end.metadata import pushed_versions
from tests.faults import small_disk

LENGTH = 8
ROWS = 60


def good_rows() -> list[list[str]]:
    values = np.random.default_rng(0).normal(size=(ROWS, LENGTH))
    return [[f"{v:.4f}" for v in row] + [f"{i % 2:.1f}"] for i, row in enumerate(values)]


def as_csv(rows: list[list[str]], separator: str = ",", end: str = "\n") -> bytes:
    return "".join(separator.join(row) + end for row in rows).encode()


def with_cell(row: int, column: int, text: str) -> bytes:
    rows = good_rows()
    rows[row][column] = text
    return as_csv(rows)


def with_row(row: int, change: Callable[[list[str]], list[str]]) -> bytes:
    rows = good_rows()
    rows[row] = change(rows[row])
    return as_csv(rows)


def run_anomaly(aepipe: Aepipe, home: Path, directory: Path, *more: str) -> Result:
    settings = (f"data.length={LENGTH}", "trainer.epochs=1")
    return aepipe(*run_command("anomaly", home, directory, settings, *more))


def assert_one_line(err: str, *names: str) -> None:
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1, err
    assert lines[0].startswith("aepipe: ")
    assert "Traceback" not in err
    for name in names:
        assert name in lines[0]


CSV_FAULTS = {
    "empty file": (b"", ["ecg.csv", "empty"]),
    "short row": (with_row(4, lambda row: row[1:]), ["ecg.csv", "row 5"]),
    "long row": (with_row(4, lambda row: ["0.5", *row]), ["ecg.csv", "row 5"]),
    "text in a number": (with_cell(6, 2, "abc"), ["ecg.csv", "row 7", "column 3", "abc"]),
    "NaN": (with_cell(6, 2, "nan"), ["ecg.csv", "row 7", "column 3"]),
    "inf": (with_cell(6, 2, "inf"), ["ecg.csv", "row 7", "column 3"]),
    "label that is no class": (with_cell(6, LENGTH, "2.5"), ["ecg.csv", "row 7", "2.5"]),
    "only one class": (as_csv([row for row in good_rows() if row[-1] == "1.0"]), ["both classes"]),
    "decimal commas": (
        as_csv(good_rows(), separator=";").replace(b".", b","),
        ["ecg.csv", "decimal"],
    ),
    "another length": (as_csv([row[1:] for row in good_rows()]), ["data.length=7"]),
    "truncated gzip": (gzip.compress(as_csv(good_rows()))[:-20], ["ecg.csv"]),
}


@pytest.mark.parametrize("fault", CSV_FAULTS)
def test_a_csv_fault(fault: str, aepipe: Aepipe, tmp_path: Path) -> None:
    content, names = CSV_FAULTS[fault]
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "ecg.csv").write_bytes(content)
    result = run_anomaly(aepipe, tmp_path / "home", directory)
    assert result.exit_code == 2
    assert_one_line(result.err, *names)
    assert pushed_versions(tmp_path / "home", "ecg_anomaly_detector") == []


@pytest.mark.slow
def test_csv_variants_that_are_no_fault(aepipe: Aepipe, tmp_path: Path) -> None:
    """`tests/components/example_gen/test_ecg_rows.py` has each of them."""
    directory = tmp_path / "data"
    directory.mkdir()
    rows = [[f"c{i}" for i in range(LENGTH + 1)], *good_rows()]
    content = gzip.compress(b"\xef\xbb\xbf" + as_csv(rows, end="\r\n"))
    (directory / "ecg.csv").write_bytes(content)
    # Noise has no anomalies to find: the gate of the model refuses, with 3, the data passes.
    result = run_anomaly(aepipe, tmp_path / "home", directory, "--json")
    assert result.exit_code in (0, 3), result.err
    assert sum(result.runs[0]["data"]["examples"].values()) == ROWS


def test_a_value_that_the_schema_forbids_stops_at_the_data_gate(
    aepipe: Aepipe, tmp_path: Path
) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "ecg.csv").write_bytes(with_cell(3, 1, "1e9"))
    schema = f"data.schema={SCHEMA_DIRECTORY / 'signal.pbtxt'}"
    result = run_anomaly(aepipe, tmp_path / "home", directory, "--json", "--set", schema)
    assert result.exit_code == 3
    (run,) = result.runs
    assert run["status"] == "data_refused"
    (reason,) = run["reasons"]
    assert "feature 'signal'" in reason
    assert "1e+09" in reason
    assert "Trainer" not in run["seconds"]
    assert pushed_versions(tmp_path / "home", "ecg_anomaly_detector") == []


def idx_images(count: int = 30, size: int = 28, magic: int = 2051) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size), dtype=np.uint8)
    return struct.pack(">4i", magic, count, size, size) + pixels.tobytes()


def idx_labels(count: int = 30, magic: int = 2049) -> bytes:
    return struct.pack(">2i", magic, count) + bytes(i % 10 for i in range(count))


IDX_FAULTS = {
    "wrong magic number": (idx_images(magic=2052), idx_labels(), ["train-images", "magic"]),
    "truncated gzip": (gzip.compress(idx_images())[:-50], idx_labels(), ["train-images"]),
    "more labels than images": (idx_images(), idx_labels(31), ["train-", "30", "31"]),
    "another image size": (idx_images(size=20), idx_labels(), ["train-images", "20", "data."]),
    "empty file": (b"", idx_labels(), ["train-images", "empty"]),
    "no labels": (idx_images(), None, ["train-"]),
}


@pytest.mark.parametrize("fault", IDX_FAULTS)
def test_an_idx_fault(fault: str, aepipe: Aepipe, tmp_path: Path) -> None:
    images, labels, names = IDX_FAULTS[fault]
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "train-images-idx3-ubyte").write_bytes(images)
    if labels is not None:
        (directory / "train-labels-idx1-ubyte").write_bytes(labels)
    (directory / "t10k-images-idx3-ubyte").write_bytes(idx_images())
    (directory / "t10k-labels-idx1-ubyte").write_bytes(idx_labels())
    result = aepipe("run", "basic", "--home", tmp_path / "home", "--data-dir", directory)
    assert result.exit_code == 2
    assert_one_line(result.err, *names)
    assert pushed_versions(tmp_path / "home", "basic_autoencoder") == []


@pytest.mark.parametrize("kind", ["missing folder", "no matching file", "a file, not a folder"])
def test_a_data_folder_that_is_not_one(kind: str, aepipe: Aepipe, tmp_path: Path) -> None:
    directory = tmp_path / "data"
    if kind == "no matching file":
        directory.mkdir()
        (directory / "notes.txt").write_text("")
    elif kind == "a file, not a folder":
        directory.write_text("")
    result = run_anomaly(aepipe, tmp_path / "home", directory)
    assert result.exit_code == 2
    assert_one_line(result.err, str(directory))


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--set", "trainer.epoch=3"], ["trainer.epochs"]),
        (["--set", "trainer.epochs=many"], ["trainer.epochs=many"]),
        (["--set", "data.split=half"], ["hash, tutorial"]),
        (["--from", "Trainr"], ["Trainr", "Trainer"]),
    ],
)
def test_a_wrong_setting(
    arguments: list[str], names: list[str], aepipe: Aepipe, small_sample: Path, tmp_path: Path
) -> None:
    result = aepipe(
        "run", "anomaly", "--home", tmp_path / "home", "--data-dir", small_sample, *arguments
    )
    assert result.exit_code == 2
    assert_one_line(result.err, *names)


def test_a_second_run_of_the_same_pipeline(
    aepipe: Aepipe, small_sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.home._SECONDS_TO_END", 0.1)
    home = Home(tmp_path)
    home.prepare(ANOMALY)
    with home.lock("anomaly"):
        result = aepipe("run", "anomaly", "--home", tmp_path, "--data-dir", small_sample)
    assert result.exit_code == 2
    assert_one_line(result.err, "anomaly", "already running", str(tmp_path))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "600k") as disk:
        yield disk


@pytest.mark.parametrize("state", ["full in the middle", "full from the start", "read-only"])
def test_an_output_folder_without_room(
    state: str, aepipe: Aepipe, small_sample: Path, tiny_disk: Path
) -> None:
    if state == "full from the start":
        with pytest.raises(OSError, match="space"):
            (tiny_disk / "ballast").write_bytes(bytes(1_000_000))
    elif state == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    home = tiny_disk / "home"
    result = aepipe("run", "anomaly", "--home", home, "--data-dir", small_sample)
    assert result.exit_code == 2
    assert_one_line(result.err, str(home))
