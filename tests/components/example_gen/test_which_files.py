"""The files that a run digests are those that its ExampleGen reads, whatever lies beside them."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.example_gen.input_files import RemoteFiles, paths_to_read, resolve_window
from data.choice import choose_data
from data.sources import DataSource, resolve
from data.spans.files import matching_names, splits_of
from data.spans.window import ReadWindow
from pipeline_config import ANOMALY, SignalData, UserInputError
from tests.components.example_gen.ingestion import exec_properties

NAMES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", ".", "._", "a", "ECG", "a b", "x[1]", "*", "?", "é", "{SPAN}", "#a"]),
        st.sampled_from([".csv", ".CSV", ".csv.gz", ".Csv.Gz", ".csv.bak", ".csv~", ".txt", ""]),
        st.sampled_from(["", "", "", ".old", " (1)", ".gz", ".tmp", ".partial", ".csv"]),
    ),
).filter(lambda name: name not in ("", "."))
KINDS = st.sampled_from(["file"] * 5 + ["folder", "link", "dangling", "pipe", "loop"])
ODD_KINDS = ("dangling", "pipe", "loop")
PLACES = st.sampled_from(["", "", "span-1", "span-2", "span-3.partial", ".span-4", "old"])
FOLDERS = st.dictionaries(st.tuples(PLACES, NAMES), KINDS, max_size=8)


def make(base: Path, place: str, name: str, kind: str) -> None:
    path = base / place / name
    path.parent.mkdir(exist_ok=True)
    if kind == "file":
        path.write_text(f"of {place}/{name}")
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        target = base.parent / f"target {place} {name}"
        target.write_text(f"of the target of {place}/{name}")
        path.symlink_to(target)
    else:
        path.symlink_to(name if kind == "loop" else "gone")


class OpenedFiles:
    """Which files below a folder are opened; a hook cannot be taken off again."""

    def __init__(self) -> None:
        self.below: str | None = None
        self.paths: set[str] = set()
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and self.below and str(arguments[0]).startswith(self.below):
            self.paths.add(str(arguments[0]))

    def of(self, directory: Path) -> set[str]:
        self.below, self.paths = f"{directory}/", set()
        return self.paths


OPENED = OpenedFiles()


def ingested(base: str, data: SignalData, files: ReadWindow | None) -> set[str]:
    properties = exec_properties(base, data, files=files)
    return {path for paths in paths_to_read(properties, data.pattern) for path in paths}


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="which [files]*? ") as folder:
        yield Path(folder)


@settings(max_examples=150, deadline=None)
@given(content=FOLDERS)
def test_what_is_digested_is_ingested(base: Path, content: dict[tuple[str, str], str]) -> None:
    with tempfile.TemporaryDirectory(dir=base) as scratch:
        directory = Path(scratch, "ecg")
        directory.mkdir()
        for (place, name), kind in content.items():
            make(directory, place, name, kind)
        spans = [place for place in ("span-1", "span-2") if (directory / place).is_dir()]
        signals = of_suffix("csv", directory, content)
        if not {place for place, _ in signals.values()} & set(spans or [""]):
            signals = of_suffix("txt", directory, content) or signals
        places = {place for place, _ in signals.values()}
        read_from = max(places & set(spans), default="")
        wanted = {path: kind for path, (place, kind) in signals.items() if place == read_from}
        opened = OPENED.of(directory)
        try:
            source = resolve(ANOMALY, data_dir=Path(scratch), environ={}, cache_dir=Path(scratch))
            read = choose_data(ANOMALY, source, [])
        except UserInputError as error:
            line = str(error)
            assert len(line.splitlines()) == 1
            # A span before the newest may be no file either, and is read for the comparison.
            odd = {kind for place, kind in signals.values() if place in ("", *spans)}
            assert not wanted or (spans and "" in places) or odd & set(ODD_KINDS)
            return
        assert isinstance(read.config.data, SignalData)
        found = ingested(str(directory), read.config.data, read.files)
        assert found == opened - of_the_previous_span(directory, read.files)
        assert found == ingested(str(directory), read.config.data, None)
        assert found == set(wanted)


def of_suffix(
    suffix: str, directory: Path, content: dict[tuple[str, str], str]
) -> dict[str, tuple[str, str]]:
    return {
        str(directory / place / name): (place, kind)
        for (place, name), kind in content.items()
        if kind != "folder"
        and not name.startswith(".")
        and re.search(rf"\.{suffix}(\.gz)?$", name, re.IGNORECASE)
    }


def of_the_previous_span(directory: Path, files: ReadWindow) -> set[str]:
    return {str(directory / name) for name in files.previous.names} if files.previous else set()


@settings(max_examples=50, deadline=None)
@given(names=st.sets(NAMES, max_size=6))
def test_the_rule_is_the_same_through_tfx(base: Path, names: set[str]) -> None:
    with tempfile.TemporaryDirectory(dir=base) as folder:
        for name in names:
            make(Path(folder), "span-1", name, "file")
        make(Path(folder), "span-1", "folder.csv", "folder")
        for pattern in ("span-{SPAN}/*.csv{,.gz}", "*/*", "span-1/[!a]*", "none/*"):
            expected = matching_names(folder, pattern)
            assert matching_names(folder, pattern, RemoteFiles()) == expected


def test_the_fingerprint_of_the_run_is_that_of_the_driver(tmp_path: Path) -> None:
    (tmp_path / "ecg.csv").write_text("1\n")
    read = choose_data(ANOMALY, DataSource(tmp_path, "given"), [])
    properties = exec_properties(tmp_path, read.config.data, files=read.files)
    (tmp_path / "later.csv").write_text("2\n")
    window = resolve_window(properties)
    assert window == read.files
    assert window.fingerprint == read.facts.sha256
    assert splits_of(read.config.data).keys() == window.newest.files.keys()
