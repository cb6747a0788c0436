"""A home with a metadata file, and the ways in which such a file breaks."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from ml_metadata.proto.metadata_store_pb2 import Execution, ExecutionType

from pipeline.home import Home
from pipeline.run.outcome import RunOutcome, write_outcome
from tests.faults import process_that_holds
from tests.pipeline.recorded_runs import new_store

RUN = "anomaly-20260101T000000-abcd"

HOLD_DATABASE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


def put_executions(path: Path, count: int) -> None:
    store = new_store(path)
    type_id = store.put_execution_type(ExecutionType(name="Trainer"))
    store.put_executions([Execution(type_id=type_id) for _ in range(count)])


def leave_artifact(home: Home, execution: int) -> Path:
    folder = home.artifacts("anomaly") / "Trainer" / "model" / str(execution)
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(bytes(10))
    return folder


def home_of_a_run(root: Path) -> Home:
    """A home as a run leaves it, made without a run."""
    home = Home(root)
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


def held_by_another_process(path: Path) -> AbstractContextManager[object]:
    return process_that_holds(HOLD_DATABASE, path)
