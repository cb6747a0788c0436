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
        """Whether `aepipe doctor --repair` repairs it."""
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
    path, artifacts = home.metadata_path(pipeline), home.artifacts(pipeline)
    highest = _highest_execution(artifacts)
    is_new = not os.path.lexists(path) or (path.is_file() and path.stat().st_size == 0)
    if highest is None and is_new:
        # An empty file is what a run leaves that was killed before MLMD wrote its tables.
        return None
    command = f"aepipe doctor --repair --home {shlex.quote(str(home.root))}"
    remedy = f"restore it from a copy, or run `{command}`, which sets it and its artifacts aside"

    def damaged(what: str) -> MetadataFault:
        return MetadataFault("damaged", f"{path}: damaged ({what}): {remedy}")

    def lost(what: str) -> MetadataFault:
        line = f"{path}: lost ({what}), while {artifacts} holds what it listed: {remedy}"
        return MetadataFault("lost", line)

    if not os.path.lexists(path):
        return lost("there is no such file")
    patience = LOCK_WAIT_SECONDS if wait_seconds is None else wait_seconds
    try:
        listed = _checked_executions(path, writing, patience)
    except _DamagedError as error:
        return damaged(str(error))
    except PermissionError as error:
        return MetadataFault("forbidden", f"{path}: {error}: allow it, and try again")
    except UnicodeDecodeError:
        # Python cannot read SQLite's own message, which quotes what it found.
        return damaged("it holds names that are not text")
    except sqlite3.Error as error:
        code = _primary_code(error)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return held_by_another(path, patience)
        if code == sqlite3.SQLITE_NOTADB:
            return damaged("not an SQLite file")
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
            return damaged(str(error))
        return MetadataFault("forbidden", f"{path}: {error}: correct that, and try again")
    if highest is not None and highest > listed:
        return lost(f"it lists executions up to {listed}, not {highest}")
    return None


def held_by_another(path: Path, waited: float = LOCK_WAIT_SECONDS) -> MetadataFault:
    """Returns the fault of a file that another process did not release in time."""
    return MetadataFault(
        "held",
        f"{path}: another process holds this database (waited {waited:.0f} s): wait for it to "
        f"end, or end it (`fuser {shlex.quote(str(path))}` names it), and try again",
    )


class _DamagedError(Exception):
    """The file is not as MLMD left it."""


def _check_file(path: Path, writing: bool) -> None:
    """Checks what SQLite need not be asked about.

    Raises:
        PermissionError: The file cannot be read, or written.
        _DamagedError: It is no regular file, or empty.
    """
    if path.is_dir():
        raise _DamagedError("a folder lies in its place")
    if not path.exists():
        raise _DamagedError("a link that leads nowhere lies in its place")
    if not path.is_file():
        raise _DamagedError("it is not a regular file")
    if path.stat().st_size == 0:
        raise _DamagedError("it is empty")
    if not os.access(path, os.R_OK | (os.W_OK if writing else 0)):
        raise PermissionError(f"cannot be {'written' if writing else 'read'}")


def _checked_executions(path: Path, writing: bool, wait_seconds: float) -> int:
    """Checks a database as a whole; returns the highest number that MLMD has given to an execution.

    Raises:
        sqlite3.Error: SQLite cannot read or lock it.
        PermissionError: The file cannot be read, or written.
        _DamagedError: It is inconsistent or not MLMD's.
    """
    _check_file(path, writing)
    # What a killed writer left half done is undone by SQLite.
    address = f"{path.absolute().as_uri()}?mode=rw"
    with contextlib.closing(
        sqlite3.connect(address, uri=True, timeout=0.2, isolation_level=None)
    ) as connection:
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
    """Takes the lock for reading or writing. Waits in short steps, so that Ctrl-C works."""
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


def _primary_code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


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
