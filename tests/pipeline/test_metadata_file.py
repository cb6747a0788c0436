"""A metadata file that MLMD cannot use: one line that names it, exit code 2, nothing touched."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto.metadata_store_pb2 import (
    ConnectionConfig,
    Execution,
    ExecutionType,
    SqliteMetadataSourceConfig,
)

from pipeline import metadata_file
from pipeline.home import Home
from pipeline.lineage import open_store
from pipeline.metadata_file import find_fault
from pipeline.outcome import RunOutcome, write_outcome
from pipeline_config import UserInputError
from tests.conftest import Aepipe

RUN = "anomaly-20260101T000000-abcd"

HOLD_DATABASE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
"""


def put_executions(path: Path, count: int) -> None:
    config = ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    store = MetadataStore(config)
    type_id = store.put_execution_type(ExecutionType(name="Trainer"))
    store.put_executions([Execution(type_id=type_id) for _ in range(count)])


def leave_artifact(home: Home, execution: int) -> Path:
    folder = home.artifacts("anomaly") / "Trainer" / "model" / str(execution)
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(bytes(10))
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home as a run leaves it, made without a run."""
    home = Home(tmp_path / "a home")
    path = home.metadata_path("anomaly")
    path.parent.mkdir(parents=True)
    put_executions(path, 3)
    for execution in (1, 3):
        leave_artifact(home, execution)
    (home.artifacts("anomaly") / "Trainer/.system/driver_execution/1795632108203915").mkdir(
        parents=True
    )
    directory = home.runs / RUN
    directory.mkdir(parents=True)
    write_outcome(RunOutcome("anomaly", RUN, "pushed"), directory)
    return home


def replace_with_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_with_other_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (id INTEGER PRIMARY KEY AUTOINCREMENT)")
    connection.close()


def overwrite_a_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : 4096 * 3] = bytes(range(256)) * 32
    path.write_bytes(content)


def replace_with_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def start_anew(path: Path) -> None:
    path.unlink()
    put_executions(path, 2)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "emptied": (lambda path: path.write_bytes(b""), "damaged (it is empty)"),
    "cut in half": (lambda path: os.truncate(path, path.stat().st_size // 2), "damaged ("),
    "cut within a page": (lambda path: os.truncate(path, 5000), "damaged ("),
    "random bytes": (lambda path: path.write_bytes(os.urandom(50_000)), "not an SQLite file"),
    "pages overwritten": (overwrite_a_page, "damaged ("),
    "text": (lambda path: path.write_text("gone\n" * 99), "not an SQLite file"),
    "another database": (replace_with_other_database, "lacks MLMD's table Artifact"),
    "folder": (replace_with_folder, "a folder lies in its place"),
    "dangling link": (replace_with_dangling_link, "a link that leads nowhere"),
    "deleted": (lambda path: path.unlink(), "lost (there is no such file)"),
    "an older copy": (start_anew, "lost (it lists executions up to 2, not 3)"),
}

COMMANDS = {
    "run": ("run", "anomaly"),
    "run on a schedule": ("run", "anomaly", "--if-new-data"),
    "show": ("show", RUN),
    "report": ("report", RUN),
    "report of the newest": ("report",),
}


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
        open_store(str(path))
    assert text in str(raised.value)


@pytest.fixture
def held(home: Home) -> Iterator[Path]:
    path = home.metadata_path("anomaly")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_DATABASE, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield path
    process.communicate("\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_another_process_holds_is_named_in_bounded_time(
    command: str, held: Path, home: Home, aepipe: Aepipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata_file, "LOCK_WAIT_SECONDS", 1.0)
    start = time.monotonic()
    result = aepipe(*COMMANDS[command], "--home", home.root)
    assert time.monotonic() - start < 5
    assert result.exit_code == 2
    assert_one_line(result.err, str(held), "another process holds this database (waited 1 s)")
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
