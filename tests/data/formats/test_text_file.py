"""Text files are read whatever is between their cells and wherever their label is."""

import gzip
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.formats.rows import Block
from data.formats.signal_file import read_signals
from pipeline_config import SignalData
from tests.data.formats.readings import read

SAMPLES = np.random.default_rng(7).normal(size=(40, 6)).round(5)
CLASSES = np.array(["N", "V", "L", "4"])[np.arange(40) % 4]
NAMES = [f"t{step}" for step in range(6)]


def lines_of(
    label: str | None = "last",
    joint: str = ",",
    names: bool = False,
    classes: np.ndarray = CLASSES,
    front: Callable[[int], str] | None = None,
) -> list[str]:
    """Rows of a text file, and a line of names above them if it is to have one."""
    table = [[repr(value) for value in row] for row in SAMPLES.tolist()]
    header = list(NAMES)
    if label is not None:
        place = len(header) if label == "last" else 0
        header.insert(place, "beat")
        for row, name in zip(table, classes.tolist(), strict=True):
            row.insert(place, name)
    if front is not None:
        header.insert(0, "nr")
        for number, row in enumerate(table):
            row.insert(0, front(number))
    return [joint.join(row) for row in ([header] if names else []) + table]


def write(path: Path, lines: list[str], end: str = "\n") -> Path:
    text = "".join(line + end for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def classes_of(block: Block) -> list[str]:
    assert block.rows.classes is not None
    return block.rows.classes.tolist()


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.data", "a.tsv.gz"])
@pytest.mark.parametrize("joint", [",", ", ", "\t", ";", " ", "   ", " \t "])
@pytest.mark.parametrize("names", [False, True], ids=["bare", "named"])
def test_a_separator_is_found(tmp_path: Path, name: str, joint: str, names: bool) -> None:
    file = write(tmp_path / name, lines_of("first", joint, names))
    found = read(file, SignalData(length=6, label="first", normal=("N", "L")))
    np.testing.assert_array_equal(found.rows.values, SAMPLES.astype(np.float32))
    assert classes_of(found) == CLASSES.tolist()
    assert found.rows.labels.tolist() == [1, 0, 1, 0] * 10
    assert found.rows.numbers.tolist() == list(range(1 + names, 41 + names))


@pytest.mark.parametrize(
    ("lines", "settings"),
    [
        (lines_of("last"), {}),
        (lines_of("first"), {"label": "first"}),
        (lines_of("first", names=True), {"label": "beat"}),
        (lines_of("last", names=True), {"label": "BEAT"}),
        (lines_of("last", front=str), {"drop": ("0",)}),
        (lines_of("first", front="2024-05-{:02}".format), {"drop": ("0",), "label": "first"}),
        (lines_of("last", names=True, front=str), {"drop": ("nr",)}),
        (lines_of("last", names=True, front="p{}".format), {"drop": ("0",), "label": "beat"}),
        ([f"  {line}  " for line in lines_of("last", joint=" ")], {}),
        ([f" {line} " for line in lines_of("last")], {}),
        ([line.replace(",", '","').join('""') for line in lines_of("last")], {}),
        ([line.replace(" ", '" "').join('""') for line in lines_of("last", " ")], {}),
        (["", "  ", *lines_of("last"), " ", ""], {}),
        (lines_of("last", joint=" "), {"separator": "blanks"}),
        (lines_of("last", joint=";"), {"separator": "semicolon"}),
    ],
)
def test_the_label_is_where_the_settings_say(
    tmp_path: Path, lines: list[str], settings: dict[str, Any]
) -> None:
    data = SignalData(length=6, normal=("N",), **settings)
    found = read(write(tmp_path / "a.csv", lines), data)
    np.testing.assert_array_equal(found.rows.values, SAMPLES.astype(np.float32))
    assert classes_of(found) == CLASSES.tolist()


def test_a_number_is_one_class_however_it_is_written(tmp_path: Path) -> None:
    cells = np.array(["1", "1.0", " 1.0000e+00", "-1", "2.000", "0", "", "nan", "NaN", "1"])
    file = write(tmp_path / "a.txt", lines_of("last", classes=np.tile(cells, 4)))
    found = read(file, SignalData(length=6, normal=("1.0",)))
    assert classes_of(found)[:10] == ["1", "1", "1", "-1", "2", "0", "", "", "", "1"]
    assert found.rows.labels[:10].tolist() == [1, 1, 1, 0, 0, 0, -1, -1, -1, 1]


def test_without_labels_every_column_is_a_sample(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", lines_of(None, names=True))
    found = read(file, SignalData(length=6, label="none"))
    np.testing.assert_array_equal(found.rows.values, SAMPLES.astype(np.float32))
    assert set(classes_of(found)) == {""}
    assert set(found.rows.labels.tolist()) == {-1}


@pytest.mark.parametrize("names", [False, True])
def test_labels_may_come_after_hundreds_of_rows_without_any(tmp_path: Path, names: bool) -> None:
    rows = lines_of("last", names=names, classes=np.full(40, ""))
    rows += lines_of("last", classes=np.full(40, "")) * 9 + ["1,2,3,4,5.5,6,1"]
    found = read(write(tmp_path / "a.csv", rows), SignalData(length=6))
    assert Counter(found.rows.labels.tolist()) == {-1: 400, 1: 1}


def test_channels_follow_each_other_within_a_sample(tmp_path: Path) -> None:
    """As `array.reshape(len(array), -1)` has them, for an array [rows, length, channels]."""
    array = SAMPLES.reshape(40, 3, 2)
    file = write(tmp_path / "a.csv", lines_of("last"))
    both = read(file, SignalData(length=3, channels=2, normal=("N",)))
    np.testing.assert_array_equal(both.rows.values, array.astype(np.float32))
    one = read(file, SignalData(length=3, channel=("1",), normal=("N",)))
    np.testing.assert_array_equal(one.rows.values, array[:, :, 1].astype(np.float32))
    swapped = read(file, SignalData(length=3, channels=2, channel=("1", "0"), normal=("N",)))
    np.testing.assert_array_equal(swapped.rows.values, array[:, :, ::-1].astype(np.float32))


UCR = {
    "ECG5000_TRAIN": (140, "1", {"1": 292, "2": 177, "3": 10, "4": 19, "5": 2}),
    "GunPoint_TRAIN": (150, "1", {"1": 24, "2": 26}),
    "SonyAIBORobotSurface2_TEST": (65, "2", {"1": 365, "2": 588}),
}


@pytest.mark.skipif("AEPIPE_DATA" not in os.environ, reason="no folder of real files")
@pytest.mark.parametrize(("name", "facts"), UCR.items(), ids=UCR)
def test_files_of_the_ucr_archive(name: str, facts: tuple[int, str, dict[str, int]]) -> None:
    length, normal, counts = facts
    file = Path(os.environ["AEPIPE_DATA"], "signals", f"{name}.tsv")
    expected = np.loadtxt(file)
    found = read(file, SignalData(length=length, label="first", normal=(normal,)), 1 << 20)
    np.testing.assert_array_equal(found.rows.values, expected[:, 1:].astype(np.float32))
    assert Counter(classes_of(found)) == counts
    assert int((found.rows.labels == 1).sum()) == counts[normal]


PEAK = """
import sys
from pathlib import Path
from data.formats.signal_file import read_signals
from pipeline_config import SignalData
data = SignalData(length=40, label="first", normal=("N",))
rows = sum(len(block.rows) for block in read_signals(sys.argv[1], data))
status = Path("/proc/self/status").read_text()
print(rows, status.partition("VmHWM:")[2].split()[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("suffix", ["tsv", "arff", "ts"])
def test_a_hundred_times_the_rows_take_no_more_memory(tmp_path: Path, suffix: str) -> None:
    joint = {"tsv": "\t", "arff": ",", "ts": ","}[suffix]
    samples = joint.join(["0.1234567"] * 40)
    row = f"{samples}:N\n" if suffix == "ts" else f"N{joint}{samples}\n"
    head = {
        "tsv": "",
        "arff": "@relation a\n@attribute beat {N,V}\n"
        + "".join(f"@attribute t{step} numeric\n" for step in range(40))
        + "@data\n",
        "ts": "@problemName a\n@univariate true\n@classLabel true N V\n@data\n",
    }[suffix]
    script = PEAK.replace('label="first"', 'label="last"') if suffix == "ts" else PEAK
    peaks = []
    for rows in (1_000, 100_000):
        file = tmp_path / f"{rows}.{suffix}"
        file.write_text(head + row * rows)
        command = [sys.executable, "-c", script, str(file)]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert int(found[0]) == rows
        peaks.append(int(found[1]))
    assert peaks[1] < peaks[0] + (64 << 10), peaks


def test_a_file_is_read_in_blocks_of_any_size(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", lines_of("first", "\t", names=True), "\r\n")
    data = SignalData(length=6, label="beat", normal=("N",))
    whole = read(file, data, 1 << 20)
    for block_bytes in (3, 50, 1000):
        found = read(file, data, block_bytes)
        np.testing.assert_array_equal(found.rows.values, whole.rows.values)
        assert classes_of(found) == classes_of(whole)
        assert found.rows.numbers.tolist() == whole.rows.numbers.tolist()
    assert len(list(read_signals(str(file), data, 300))) > 4
