"""Whether MLMD can use the SQLite file of a pipeline, found out without MLMD.

MLMD reports a damaged file as it would a bug, starts its numbers again if the file is lost, and
holds Python's interpreter while it waits for a lock. So the file is looked at first.
"""

import contextlib
import dataclasses
import os
import shlex
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pipeline.home import Home
from pipeline_config import UserInputError

LOCK_WAIT_SECONDS = 10.0
"""How long another process may hold the file before that is a fault."""

_TABLES = frozenset({"Artifact", "Context", "Event", "Execution", "MLMDEnv", "Type"})
"""Some of MLMD's tables: a database without one of them is not MLMD's."""


@dataclasses.dataclass(frozen=True)
class MetadataFault:
    """Why MLMD cannot use a file.

    Attributes:
        kind: `damaged` and `lost` are repaired by `aepipe doctor --repair`; `held` passes by
            itself when another process ends; `forbidden` is a matter of permissions.
        line: The file, what is wrong with it, and what to do.
    """

    kind: Literal["damaged", "lost", "held", "forbidden"]
    line: str

    @property
    def repairable(self) -> bool:
        """Whether `aepipe doctor --repair` mends it."""
        return self.kind in ("damaged", "lost")


def require_usable(home: Home, pipeline: str, *, writing: bool = False) -> None:
    """Looks at the metadata file of a pipeline, and at the artifacts that it should list.

    Args:
        home: Output folder.
        pipeline: Name of the pipeline.
        writing: Whether the file is going to be written. Call it while holding the pipeline's
            lock then.

    Raises:
        UserInputError: MLMD could not use the file, or would number new artifacts as old ones.
    """
    fault = find_fault(home, pipeline, writing=writing)
    if fault is not None:
        raise UserInputError(fault.line)


def find_fault(
    home: Home,
    pipeline: str,
    *,
    writing: bool = False,
    wait_seconds: float | None = None,
) -> MetadataFault | None:
    """Returns what is wrong with the metadata file of a pipeline, or None.

    A pipeline that has neither a file nor artifacts has not run yet: nothing is wrong.

    Args:
        home: Output folder.
        pipeline: Name of the pipeline.
        writing: Whether the file is going to be written.
        wait_seconds: How long to wait for another process that holds the file; by default
            `LOCK_WAIT_SECONDS`.
    """
    path = home.metadata_path(pipeline)
    artifacts = home.artifacts(pipeline)
    highest = _highest_execution(artifacts)
    if not os.path.lexists(path):
        return None if highest is None else _lost(home, path, artifacts, "there is no such file")
    if highest is None and path.is_file() and path.stat().st_size == 0:
        # What a run leaves that was killed before MLMD wrote its tables; MLMD makes them anew.
        return None
    if (damage := _damage_at_first_sight(path)) is not None:
        return _damaged(home, path, damage)
    if not os.access(path, os.R_OK | (os.W_OK if writing else 0)):
        verb = "written" if writing else "read"
        return MetadataFault("forbidden", f"{path}: cannot be {verb}: allow it, and try again")
    patience = LOCK_WAIT_SECONDS if wait_seconds is None else wait_seconds
    try:
        known = _checked_executions(path, writing, patience)
    except sqlite3.Error as error:
        return _sqlite_fault(home, path, error, patience)
    except _DamagedError as error:
        return _damaged(home, path, str(error))
    except UnicodeDecodeError:
        # Python cannot read SQLite's own message, which quotes what it found.
        return _damaged(home, path, "it holds names that are not text")
    if highest is not None and highest > known:
        return _lost(home, path, artifacts, f"it lists executions up to {known}, not {highest}")
    return None


def held_by_another(path: Path, waited: float = LOCK_WAIT_SECONDS) -> MetadataFault:
    """Returns the fault of a file that another process did not release in time."""
    return MetadataFault(
        "held",
        f"{path}: another process holds this database (waited {waited:.0f} s): wait for it to "
        f"end, or end it (`fuser {shlex.quote(str(path))}` names it), and try again",
    )


class _DamagedError(Exception):
    """SQLite opens the file, but its content is not as MLMD left it."""


def _damage_at_first_sight(path: Path) -> str | None:
    """Returns what is wrong with a file that SQLite need not be asked about."""
    if path.is_dir():
        return "a folder lies in its place"
    if not path.exists():
        return "a link that leads nowhere lies in its place"
    if not path.is_file():
        return "it is not a regular file"
    return "it is empty" if path.stat().st_size == 0 else None


def _checked_executions(path: Path, writing: bool, wait_seconds: float) -> int:
    """Checks a database as a whole; returns the highest number that MLMD has given to an execution.

    Raises:
        sqlite3.Error: SQLite cannot read or lock it.
        _DamagedError: It is inconsistent or not MLMD's.
    """
    with _connection(path) as connection:
        _begin(connection, writing, wait_seconds)
        ((bytes_expected,),) = connection.execute(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        ).fetchall()
        if path.stat().st_size < bytes_expected:
            # SQLite reads what is missing of the last page as zeros, without a complaint.
            raise _DamagedError(f"it has {path.stat().st_size} of {bytes_expected} bytes")
        found = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
        if found != ["ok"]:
            raise _DamagedError(str(found[0]).splitlines()[-1])
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        missing = sorted(_TABLES - {name for (name,) in names})
        if missing:
            raise _DamagedError(f"it lacks MLMD's table {missing[0]}")
        numbers = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'Execution'")
        return max((int(number) for (number,) in numbers), default=0)


def _begin(connection: sqlite3.Connection, writing: bool, wait_seconds: float) -> None:
    """Takes the lock for reading or writing. Waits in short steps: Ctrl-C is heard in between."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
            # A plain BEGIN takes its lock with the first statement that reads.
            connection.execute("SELECT count(*) FROM sqlite_master")
            return
        except sqlite3.OperationalError as error:
            if _primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            if connection.in_transaction:
                connection.execute("ROLLBACK")


@contextlib.contextmanager
def _connection(path: Path) -> Iterator[sqlite3.Connection]:
    """Opens a database that is there. What a killed writer left half done is undone by SQLite."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=0.2, isolation_level=None
    )
    try:
        yield connection
    finally:
        connection.close()


def _sqlite_fault(
    home: Home, path: Path, error: sqlite3.Error, wait_seconds: float
) -> MetadataFault:
    code = _primary_code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return held_by_another(path, wait_seconds)
    if code == sqlite3.SQLITE_NOTADB:
        return _damaged(home, path, "not an SQLite file")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
        return _damaged(home, path, str(error))
    return MetadataFault("forbidden", f"{path}: {error}: mend that, and try again")


def _primary_code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _damaged(home: Home, path: Path, what: str) -> MetadataFault:
    return MetadataFault("damaged", f"{path}: damaged ({what}): {_repair(home)}")


def _lost(home: Home, path: Path, artifacts: Path, what: str) -> MetadataFault:
    return MetadataFault(
        "lost", f"{path}: lost ({what}), while {artifacts} holds what it listed: {_repair(home)}"
    )


def _repair(home: Home) -> str:
    command = f"aepipe doctor --repair --home {shlex.quote(str(home.root))}"
    return f"restore it from a copy, or run `{command}`, which sets it and its artifacts aside"


def execution_folders(artifacts: Path) -> Iterator[Path]:
    """Yields the folders that executions of a pipeline have left, each named by its number.

    An output lies at STAGE/OUTPUT/NUMBER, TFX's own files at STAGE/.system/KIND/NUMBER, of which
    the driver's are numbered by the time.
    """
    for pattern in ("*/[!.]*/*", "*/.system/executor_execution/*"):
        for folder in artifacts.glob(pattern):
            if folder.name.isascii() and folder.name.isdecimal():
                yield folder


def _highest_execution(artifacts: Path) -> int | None:
    return max((int(folder.name) for folder in execution_folders(artifacts)), default=None)
