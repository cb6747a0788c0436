"""A metadata file that MLMD cannot use: one line that names it, exit code 2, nothing touched."""

import contextlib
import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import metadata_file
from pipeline.home import Home
from pipeline.metadata_file import find_fault
from pipeline.run.lineage import open_store
from pipeline_config import UserInputError
from tests.conftest import Aepipe
from tests.pipeline.broken_metadata import (
    FAULTS,
    RUN,
    held_by_another_process,
    home_of_a_run,
    put_executions,
)

COMMANDS = {
    "run": ("run", "anomaly"),
    "run on a schedule": ("run", "anomaly", "--if-new-data"),
    "show": ("show", RUN),
    "report": ("report", RUN),
    "report of the newest": ("report",),
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_of_a_run(tmp_path / "a home")


def assert_one_line(err: str, *parts: str) -> None:
    (line,) = err.splitlines()
    assert line.startswith("aepipe: ")
    for part in parts:
        assert part in line


def contents(root: Path) -> dict[str, bytes | None]:
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
        if path.suffix != ".lock"
    }


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_with_a_way_out(
    fault: str, command: str, home: Home, aepipe: Aepipe
) -> None:
    path = home.metadata_path("anomaly")
    damage, text = FAULTS[fault]
    damage(path)
    before = contents(home.root / "metadata") | contents(home.root / "artifacts")

    result = aepipe(*COMMANDS[command], "--home", home.root)

    assert result.exit_code == 2
    assert_one_line(result.err, str(path), text, f"aepipe doctor --repair --home '{home.root}'")
    assert contents(home.root / "metadata") | contents(home.root / "artifacts") == before


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", [("runs",), ("models", "list")])
def test_what_needs_no_mlmd_goes_on(
    command: tuple[str, ...], fault: str, home: Home, aepipe: Aepipe
) -> None:
    FAULTS[fault][0](home.metadata_path("anomaly"))
    result = aepipe(*command, "--home", home.root, "--json")
    assert (result.exit_code, result.err) == (0, "")


@pytest.mark.parametrize("fault", FAULTS)
def test_opening_the_store_raises_the_same_line(fault: str, home: Home) -> None:
    path = home.metadata_path("anomaly")
    damage, text = FAULTS[fault]
    damage(path)
    with pytest.raises(UserInputError) as raised:
        open_store(home, "anomaly")
    assert text in str(raised.value)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_another_process_holds_is_named_in_bounded_time(
    command: str, home: Home, aepipe: Aepipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata_file, "LOCK_WAIT_SECONDS", 1.0)
    path = home.metadata_path("anomaly")
    start = time.monotonic()
    with held_by_another_process(path):
        result = aepipe(*COMMANDS[command], "--home", home.root)
    assert time.monotonic() - start < 5
    assert result.exit_code == 2
    assert_one_line(result.err, str(path), "another process holds this database (waited 1 s)")
    assert "repair" not in result.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_without_permission_is_named(command: str, home: Home, aepipe: Aepipe) -> None:
    path = home.metadata_path("anomaly")
    path.chmod(0)
    result = aepipe(*COMMANDS[command], "--home", home.root)
    assert result.exit_code == 2
    assert_one_line(result.err, str(path), "cannot be")
    assert "repair" not in result.err


def test_a_whole_file_has_no_fault(home: Home) -> None:
    assert find_fault(home, "anomaly") is None
    assert find_fault(home, "anomaly", writing=True) is None


def test_a_reader_does_not_wait_for_another_reader(home: Home) -> None:
    connection = sqlite3.connect(home.metadata_path("anomaly"), isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM Execution").fetchall()
    assert find_fault(home, "anomaly", wait_seconds=0) is None
    connection.close()


def test_a_new_home_has_no_fault(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert find_fault(home, "anomaly", writing=True) is None
    home.artifacts("anomaly").mkdir(parents=True)
    home.metadata_path("anomaly").parent.mkdir()
    # A run that was killed before MLMD made its tables.
    home.metadata_path("anomaly").touch()
    assert find_fault(home, "anomaly", writing=True) is None
    put_executions(home.metadata_path("anomaly"), 1)
    assert find_fault(home, "anomaly", writing=True) is None


def test_artifacts_that_were_deleted_by_hand_leave_the_file_whole(home: Home) -> None:
    (home.artifacts("anomaly") / "Trainer").rename(home.root / "elsewhere")
    assert find_fault(home, "anomaly", writing=True) is None


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which the file `whole` is what the metadata file was."""
    home = home_of_a_run(tmp_path_factory.mktemp("broken") / "home")
    shutil.copy(home.metadata_path("anomaly"), home.root / "whole")
    return home


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_file_cut_anywhere_is_damaged(broken: Home, data: st.DataObject) -> None:
    home, content = broken, (broken.root / "whole").read_bytes()
    length = data.draw(st.integers(0, len(content) - 1))
    home.metadata_path("anomaly").write_bytes(content[:length])
    fault = find_fault(home, "anomaly")
    assert fault is not None
    assert fault.kind == "damaged"
    assert len(fault.line.splitlines()) == 1


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_bytes_changed_anywhere_never_end_in_another_error(
    broken: Home, data: st.DataObject
) -> None:
    home, content = broken, (broken.root / "whole").read_bytes()
    start = data.draw(st.integers(0, len(content) - 1))
    patch = data.draw(st.binary(min_size=1, max_size=4096))
    changed = (content[:start] + patch + content[start + len(patch) :])[: len(content)]
    home.metadata_path("anomaly").write_bytes(changed)
    fault = find_fault(home, "anomaly")
    if fault is not None:
        assert len(fault.line.splitlines()) == 1
        return
    # SQLite does not notice each change, such as another letter in a name; nor need MLMD.
    with contextlib.suppress(UserInputError):
        open_store(home, "anomaly")
