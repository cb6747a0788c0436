"""One folder for all temporary files of a command and of the processes that it starts.

Beam, autograph and others leave files behind if they are killed. They find their folder by
`TMPDIR`, so each command gets one of its own. The command's supervisor removes it at the end; if
that is killed too, the next command does.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from pipeline.home import unwritable
from pipeline_config import UserInputError

_PREFIX = "aepipe-tmp-"
_LOCK_FILE = ".aepipe-lock"


def make_scratch_folder() -> Path:
    """Makes a folder below `TMPDIR` and makes it this process's `TMPDIR`.

    The process and its forks hold its lock for as long as they live.

    Raises:
        UserInputError: The folder for temporary files cannot be written to.
    """
    parent = _parent()
    try:
        _remove_leftovers(parent)
        folder = _held_folder(parent)
    except OSError as error:
        raise UserInputError(unwritable_scratch(error, parent)) from error
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    return folder


def _parent() -> Path:
    """Returns the folder that the user names; Python would pass over one that is full."""
    named = os.environ.get("TMPDIR")
    if named:
        return Path(named).absolute()
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise UserInputError(unwritable_scratch(error, Path("/tmp"))) from error


def _held_folder(parent: Path) -> Path:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        # A page, not a byte: a full disk still takes a file's name.
        os.write(lock, bytes(4096))
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / _LOCK_FILE).exists():
            return folder
        # Another process took it for a leftover in the moment before the lock.
        os.close(lock)


def _remove_leftovers(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            continue
        try:
            lock = os.open(folder / _LOCK_FILE, os.O_RDWR)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def is_scratch_folder(folder: Path) -> bool:
    """Returns whether `make_scratch_folder` made it."""
    return folder.name.startswith(_PREFIX)


def unwritable_scratch(error: OSError, parent: Path | None = None) -> str:
    """Returns the one line that says what is wrong with the folder for temporary files.

    Args:
        error: What happened.
        parent: The folder that the user named; by default the one above this process's own.
    """
    if parent is None:
        folder = Path(tempfile.gettempdir())
        parent = folder.parent if is_scratch_folder(folder) else folder
    return unwritable(parent, error, "the folder for temporary files", "TMPDIR")
