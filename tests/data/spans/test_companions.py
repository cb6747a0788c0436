"""Files that come with a WFDB record's header."""

from pathlib import Path

import pytest

from data.choice import RunData, choose_data
from data.sources import resolve
from pipeline_config import ANOMALY, UserInputError

HEADER = "100 2 360 650000\n100.dat 212 200 11 1024 995 -22131 0 MLII\n100.dat 212 200\n# 69 M\n"


def record(folder: Path, header: str = HEADER, *others: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "100.hea").write_text(header)
    for name in others:
        (folder / name).write_text(name)


def chosen(root: Path) -> RunData:
    source = resolve(ANOMALY, data_dir=root, environ={}, cache_dir=root / "unused")
    return choose_data(ANOMALY, source, [])


@pytest.mark.parametrize(
    ("header", "others", "companions"),
    [
        (HEADER, ["100.dat", "100.atr", "LICENSE.txt", "RECORDS"], ["100.atr", "100.dat"]),
        (HEADER, ["100.dat"], ["100.dat"]),
        (HEADER, ["100.atr", "101.dat"], ["100.atr"]),
        ("100 1\nsignals.bin 16\n", ["signals.bin", "100.ATR"], ["100.ATR", "signals.bin"]),
        ("100/2 1\na 5\nb 5\n", ["a.dat", "b.dat", "100.atr"], ["100.atr"]),
        ("", ["100.dat"], ["100.dat"]),
        ("100 1\n../outside 16\n", [], []),
    ],
)
def test_they_are_those_of_the_header_and_of_its_name(
    tmp_path: Path, header: str, others: list[str], companions: list[str]
) -> None:
    record(tmp_path, header, *others)
    data = chosen(tmp_path)
    assert data.files.newest.files == {"all": ("100.hea",)}
    assert list(data.files.newest.companions) == companions
    assert data.facts.files == 1 + len(companions)


@pytest.mark.parametrize("changed", ["100.atr", "100.dat", "100.hea"])
@pytest.mark.parametrize("folder", ["ecg", "ecg/span-1"])
def test_a_change_of_any_is_new_data(tmp_path: Path, changed: str, folder: str) -> None:
    record(tmp_path / folder, HEADER, "100.dat", "100.atr")
    before = chosen(tmp_path)
    assert chosen(tmp_path) == before
    with (tmp_path / folder / changed).open("a") as file:
        file.write("# more\n")
    after = chosen(tmp_path)
    assert after.facts.sha256 != before.facts.sha256
    assert after.files.fingerprint != before.files.fingerprint


def test_segments_are_companions_of_their_record(tmp_path: Path) -> None:
    record(tmp_path, "100/2 1 360\n100_1 5\n100_2 5\n", "100_1.hea", "100_1.dat", "100_2.hea")
    assert "100_1.hea" in chosen(tmp_path).files.newest.companions


def test_a_companion_that_is_no_file_is_named(tmp_path: Path) -> None:
    record(tmp_path)
    (tmp_path / "100.dat").symlink_to("gone")
    with pytest.raises(UserInputError, match=r"100\.dat: a link to gone"):
        chosen(tmp_path)


def test_the_window_travels_with_them(tmp_path: Path) -> None:
    record(tmp_path, HEADER, "100.dat", "100.atr")
    files = chosen(tmp_path).files
    assert type(files).from_json(files.to_json()) == files
