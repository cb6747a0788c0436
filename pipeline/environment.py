"""Recognises a fault of the environment, such as a folder that is gone or a full disk.

An error may name its folder; if it does not, the folders that the work writes to are checked.
"""

import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from pipeline.home import unwritable
from pipeline.run.failures import chain, full_disk
from pipeline.scratch import is_scratch_folder, unwritable_scratch

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_OF_A_FILE = _FULL | {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE}

_LEAST_FREE_BYTES = 65536
"""Less is a full disk: what failed may have freed a little since."""


def home_fault(error: BaseException, home: Path, parts: Iterable[Path] = ()) -> str | None:
    """Returns the one line of a fault of the folders that a run writes to; None for another one.

    Args:
        error: What the work raised.
        home: The output folder.
        parts: Folders below it that were there when the work began.
    """
    disk = full_disk(error)
    if disk is not None and disk.errno in _FULL:
        return _full(error, home)
    for part in (home, *parts):
        if not part.exists():
            return f"{part} was removed while it was written to ({_in_short(error)}): run again"
        if not os.access(part, os.W_OK):
            denied = OSError(errno.EACCES, os.strerror(errno.EACCES))
            return unwritable(home, disk or denied)
    return unwritable(home, disk) if disk else None


def file_fault(error: OSError) -> str | None:
    """Returns the one line of a file or folder that cannot be used; None for another fault."""
    if error.errno not in _OF_A_FILE:
        return None
    name = f"{error.filename}: " if error.filename else ""
    remedy = "make room" if error.errno in _FULL else "allow it"
    return f"{name}{os.strerror(error.errno).lower()}: {remedy}, or name another place"


def full_temporary_folder(error: BaseException) -> str | None:
    """Returns the one line of a full folder for temporary files; None if another one is full."""
    disk = full_disk(error)
    if disk is None or disk.errno not in _FULL:
        return None
    folder = Path(tempfile.gettempdir())
    named = is_scratch_folder(folder) and _names(error, folder)
    return unwritable_scratch(disk) if named or not _has_room(folder) else None


def _full(error: BaseException, home: Path) -> str:
    disk = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if _names(error, home) or not _has_room(home):
        return unwritable(home, disk)
    temporary = full_temporary_folder(error)
    # By now there may be room again in either.
    return temporary or f"{unwritable(home, disk)}. Or it is this: {unwritable_scratch(disk)}"


def _names(error: BaseException, folder: Path) -> bool:
    return any(
        f"{folder}/" in text
        for link in chain(error)
        for text in (str(link), str(getattr(link, "filename", "")))
    )


def _has_room(folder: Path) -> bool:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return True
    files = disk.f_files == 0 or disk.f_favail > 0
    return files and disk.f_bavail * disk.f_frsize >= _LEAST_FREE_BYTES


def _in_short(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
