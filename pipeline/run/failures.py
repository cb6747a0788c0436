"""Classifies a failure as a refusal, a user's mistake, a fault of a disk, or a bug.

Beam re-raises what a worker raised as text in another exception, so the type is lost on the way
and the line is found by the name before it. A fault of a disk may name its folder; if
it does not, the folders that the work writes to are checked.
"""

import errno
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.home import Home, unwritable
from pipeline.metadata_file import find_fault, held_by_another
from pipeline.run.outcome import Status
from pipeline.scratch import is_scratch_folder, unwritable_scratch
from pipeline_config import GateRefusalError, UserInputError

_USER_LINE = re.compile(r"(?:UserInputError|SettingError): (?P<line>[^\n]+)")
_BEAM_SUFFIX = re.compile(r"\s*\[while running .*$")
_FULL_DISK = re.compile(r"No space left on device|database or disk is full|Disk quota exceeded")
_HELD_DATABASE = re.compile(r"Concurrent writes aborted|database is locked")
_READ_ONLY = re.compile(r"Read-only file system|attempt to write a readonly database")

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_OF_A_FILE = _FULL | {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE}

_LEAST_FREE_BYTES = 65536
"""Less is a full disk: what failed may have freed a little since."""


def classify(error: Exception, home: Home, pipeline: str, run_id: str) -> tuple[Status, str]:
    """Returns status and reason of a refusal or a user's mistake; raises a bug again."""
    if refusal := gate_refusal(error):
        return "data_refused", refusal
    if mistake := user_mistake(error):
        return "failed", mistake
    metadata_path = home.metadata_path(pipeline)
    begun = (home.runs / run_id, home.metadata, home.artifacts(pipeline))
    # MLMD has no one error for a file that was damaged or lost while it was open: of a deleted one
    # it says that it is read-only.
    all_there = all(folder.exists() for folder in (home.root, *begun))
    fault = find_fault(home, pipeline) if all_there else None
    if fault and fault.repairable:
        return "failed", fault.line
    if line := home_fault(error, home.root, (*begun, home.push_root)):
        return "failed", line
    if any(_HELD_DATABASE.search(str(link)) for link in _chain(error)):
        return "failed", held_by_another(metadata_path).line
    if fault:
        return "failed", fault.line
    raise error


def gate_refusal(error: BaseException) -> str | None:
    """Returns why the data gate refused, or None if `error` is something else."""
    return next((str(link) for link in _chain(error) if isinstance(link, GateRefusalError)), None)


def user_mistake(error: BaseException) -> str | None:
    """Returns the one line of a user's mistake behind `error`, or None if it is a bug."""
    links = list(_chain(error))
    raised = [str(link) for link in links if isinstance(link, UserInputError)]
    quoted = [found["line"] for link in links if (found := _USER_LINE.search(str(link)))]
    return next(map(_first_line, raised + quoted), None)


def full_disk(error: BaseException) -> OSError | None:
    """Returns the system's error if `error` comes from a full or read-only disk."""
    for link in _chain(error):
        if isinstance(link, OSError) and link.errno in {*_FULL, errno.EROFS}:
            return link
        if _FULL_DISK.search(str(link)):
            return _system_error(errno.ENOSPC)
        if _READ_ONLY.search(str(link)):
            return _system_error(errno.EROFS)
    return None


def home_fault(error: BaseException, home: Path, parts: Iterable[Path] = ()) -> str | None:
    """Returns the one line of a fault of the folders that a run writes to; None for another one.

    Args:
        error: What the work raised.
        home: The output folder.
        parts: Folders below it that were there when the work began.
    """
    disk = full_disk(error)
    if disk and disk.errno in _FULL:
        full = _system_error(errno.ENOSPC)
        if _is_named(home, error) or not _has_room(home):
            return unwritable(home, full)
        # By now there may be room again in either.
        either = f"{unwritable(home, full)}. Or it is this: {unwritable_scratch(full)}"
        return full_temporary_folder(error) or either
    for part in (home, *parts):
        if not part.exists():
            raised = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
            return f"{part} was removed while it was written to ({raised}): run again"
        if not os.access(part, os.W_OK):
            return unwritable(home, disk or _system_error(errno.EACCES))
    return unwritable(home, disk) if disk else None


def full_temporary_folder(error: BaseException) -> str | None:
    """Returns the one line of a full folder for temporary files; None if another one is full."""
    disk = full_disk(error)
    if disk is None or disk.errno not in _FULL:
        return None
    folder = Path(tempfile.gettempdir())
    is_named = is_scratch_folder(folder) and _is_named(folder, error)
    return unwritable_scratch(disk) if is_named or not _has_room(folder) else None


def file_fault(error: OSError) -> str | None:
    """Returns the one line of a file or folder that cannot be used; None for another fault."""
    if error.errno not in _OF_A_FILE:
        return None
    name = f"{error.filename}: " if error.filename else ""
    remedy = "make room" if error.errno in _FULL else "allow it"
    return f"{name}{os.strerror(error.errno).lower()}: {remedy}, or name another place"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an exception and those behind it."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _first_line(text: str) -> str:
    return _BEAM_SUFFIX.sub("", text.splitlines()[0]).strip()


def _system_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _is_named(folder: Path, error: BaseException) -> bool:
    return any(
        f"{folder}/" in text
        for link in _chain(error)
        for text in (str(link), str(getattr(link, "filename", "")))
    )


def _has_room(folder: Path) -> bool:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return True
    has_files = disk.f_files == 0 or disk.f_favail > 0
    return has_files and disk.f_bavail * disk.f_frsize >= _LEAST_FREE_BYTES
