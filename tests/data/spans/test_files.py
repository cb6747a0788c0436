"""Which files a pattern matches, and the one line on what cannot be read."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.spans.digests import FileDigests
from data.spans.files import LOCAL, matches, matching_files, matching_names
from data.spans.folder import DataFolder
from pipeline_config import BASIC, SignalData, UserInputError

SIGNALS = SignalData().pattern


@pytest.mark.parametrize(
    "name",
    ["ecg.csv", "ECG.CSV", "ecg.csv.gz", "Ecg.Csv.GZ", "a b.csv", "x[1].csv", "*.csv", "é.csv"],
)
def test_a_signal_file_is_one_by_its_suffix_in_any_case(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert matching_names(str(tmp_path), SIGNALS) == [name]
    assert matches(name, SIGNALS)


@pytest.mark.parametrize(
    "name",
    [".ecg.csv", "._ecg.csv", "ecg.csv~", "ecg.csv.bak", "ecg.csv.part", "ecg.csv.zip", "csv"],
)
@pytest.mark.parametrize("pattern", [SIGNALS, "*.csv*"])
def test_hidden_files_and_backups_are_none(tmp_path: Path, name: str, pattern: str) -> None:
    (tmp_path / name).touch()
    expected = [name] if pattern == "*.csv*" and name.endswith("zip") else []
    assert matching_names(str(tmp_path), pattern) == expected
    assert matches(name, pattern) == bool(expected)


@pytest.mark.parametrize("name", ["ecg.csv.bak", "ecg.csv~", ".ecg.csv"])
def test_a_pattern_that_names_them_matches_them(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert matching_names(str(tmp_path), name) == [name]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*/*.csv", ["a/1.csv", "b [x]/2.csv"]),
        ("[ab]*/*.csv", ["a/1.csv", "b [x]/2.csv"]),
        ("[!a]*/*", ["b [x]/2.csv"]),
        ("b [[]x]/*", ["b [x]/2.csv"]),
        ("{a,c}/*.{csv,txt}", ["a/1.csv"]),
        ("A/*.csv", []),
        ("./a/?.csv", ["./a/1.csv"]),
        ("[/*", []),
        ("", []),
        ("*", []),
    ],
)
def test_folders_match_as_they_are_written(
    tmp_path: Path, pattern: str, expected: list[str]
) -> None:
    for name in ("a/1.csv", "b [x]/2.csv", ".c/3.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert matching_names(str(tmp_path), pattern) == expected


@pytest.mark.parametrize("name", ["data [2024]", "data *", "what?", "a\\b", "{SPAN}", "!$^+()|"])
def test_marks_in_the_folders_own_path_mean_nothing(tmp_path: Path, name: str) -> None:
    for folder in (name, "data 2", "what2", "data 0"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ecg.csv").write_text(folder)
    found = (
        DataFolder(str(tmp_path / name), {"all": SIGNALS})
        .newest_window(1, compare_spans=False)
        .newest
    )
    assert found.names == ["ecg.csv"]


@pytest.mark.parametrize("pattern", ["[z-a].csv", "/srv/*.csv"])
def test_a_pattern_that_is_none_is_reported(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "ecg.csv").touch()
    with pytest.raises(UserInputError, match="pattern"):
        matching_names(str(tmp_path), pattern)


def test_the_suffixes_of_images(tmp_path: Path) -> None:
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz")
    for name in (*names, "train-labels-idx1-ubyte.gz.bak", "train-images-idx3-ubyte~"):
        (tmp_path / name).touch()
    assert matching_names(str(tmp_path), BASIC.data.train_pattern) == sorted(names)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder that any user may enter, with a path that a socket can have."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


ODD = {
    "dangling link": (lambda path: path.symlink_to("gone"), "a link to gone, which is not there"),
    "loop of links": (lambda path: path.symlink_to(path.name), "too many levels of symbolic links"),
    "named pipe": (os.mkfifo, "a named pipe, not a file"),
    "socket": (lambda path: socket.socket(socket.AF_UNIX).bind(str(path)), "a socket, not a file"),
    "device": (lambda path: path.symlink_to("/dev/null"), "a device, not a file"),
    "not text": (
        lambda path: path.with_name(os.fsdecode(b"\xff.csv")).touch(),
        "the file's name is not UTF-8: rename it",
    ),
}


@pytest.mark.parametrize(("make", "message"), ODD.values(), ids=ODD)
def test_what_is_no_file_is_named_in_one_line(short_path: Path, make, message: str) -> None:
    (short_path / "a.csv").touch()
    make(short_path / "b.csv")
    with pytest.raises(UserInputError) as raised:
        DataFolder(str(short_path), {"all": SIGNALS}).newest_window(1, compare_spans=False)
    line = str(raised.value)
    assert line.startswith(f"{short_path}/")
    assert message in line
    assert len(line.encode().splitlines()) == 1


def test_what_is_not_read_may_be_no_file(tmp_path: Path) -> None:
    for span in ("span-1", "span-2"):
        (tmp_path / span).mkdir()
    (tmp_path / "span-1" / "a.csv").symlink_to("gone")
    (tmp_path / "span-2" / "a.csv").touch()
    folder = DataFolder(str(tmp_path), {"all": "span-{SPAN}/*.csv"})
    assert folder.span(2).names == ["span-2/a.csv"]
    with pytest.raises(UserInputError, match="a link to gone"):
        folder.span(1)


@pytest.fixture
def nobody() -> Iterator[None]:
    """The rights of a user who owns nothing; root may read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("locked", ["ecg.csv", "."])
def test_what_may_not_be_read_is_named(
    short_path: Path, request: pytest.FixtureRequest, locked: str
) -> None:
    (short_path / "ecg.csv").write_text("1\n")
    (short_path / locked).chmod(0)
    request.addfinalizer(lambda: (short_path / locked).chmod(0o700))
    request.getfixturevalue("nobody")
    with pytest.raises(UserInputError, match="cannot be read: permission denied"):
        FileDigests().of_files(matching_files(short_path, [SIGNALS]))


def test_a_file_that_vanishes_meanwhile_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"ecg\.csv: cannot be read: no such file"):
        FileDigests().of_file(tmp_path / "ecg.csv")


def test_names_of_a_missing_folder() -> None:
    assert LOCAL.names("/no/such/folder") == []
