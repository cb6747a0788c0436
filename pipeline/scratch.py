"""One folder for all temporary files of a command and of the processes that it starts.

Beam, autograph and others leave files behind if they are killed. They find their folder by
`TMPDIR`, so each command gets one of its own. It is removed when the command ends; if the command
is killed, by a process that waits for that, and if that is killed too, by the next command.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline_config import UserInputError

_PREFIX = "aepipe-tmp-"
_LOCK_FILE = ".aepipe-lock"

_SECONDS_TO_KILL = 3.0
"""How long the processes of a killed command are waited for."""


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


def start_cleanup_process(scratch: Path) -> int:
    """Forks a process that cleans up when this one ends, also if this one is killed.

    It kills all processes that were started with `TMPDIR` set to the scratch folder, and removes
    the folder. Beam's workers, for example, go on after their parent's end.

    Returns:
        A pipe's file descriptor for this process to keep open, and for its other children to close.
    """
    waiting, alive = os.pipe()
    if os.fork():
        os.close(waiting)
        return alive
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nothing, standard)
        os.dup2(waiting, 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        os.read(3, 1)
        end = time.monotonic() + _SECONDS_TO_KILL
        while (left := list(_started_with(scratch))) and time.monotonic() < end:
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        shutil.rmtree(scratch, ignore_errors=True)
    finally:
        os._exit(0)


def _started_with(scratch: Path) -> Iterator[int]:
    """Yields the processes that have the scratch folder in their first environment."""
    marked = b"TMPDIR=" + os.fsencode(scratch)
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if marked in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def is_scratch_folder(folder: Path) -> bool:
    """Returns whether `make_scratch_folder` made it."""
    return folder.name.startswith(_PREFIX)


def unwritable_scratch(error: OSError, parent: Path | None = None) -> str:
    """Returns the one line that says what is wrong with the folder for temporary files.

    Args:
        error: What happened.
        parent: The folder that a user named; by default found from this process's own.
    """
    if parent is None:
        folder = Path(tempfile.gettempdir())
        parent = folder.parent if is_scratch_folder(folder) else folder
    reason = os.strerror(error.errno) if error.errno else str(error)
    return (
        f"cannot write to the folder for temporary files {parent}: {reason.lower()}; "
        "free or allow the space, or name another folder with TMPDIR"
    )
