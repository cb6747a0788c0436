"""Versions of one model below the push directory, as a model server sees them.

A server loads each folder whose name is a decimal number. All other names are ours: a version is
written, and removed, under a hidden one, so that no server ever finds a part of it.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline_config import UserInputError

_LOCK_FILE = ".push.lock"
_PUSHING = ".pushing-"
_REMOVING = ".removing-"

LARGEST_VERSION = 2**63 - 1

_FAULTS_OF_THE_FOLDER = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EEXIST,
        errno.ENOTDIR,
    }
)


_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE})
_FAULTS_OF_A_FILE = _FAULTS_OF_THE_FOLDER | _GONE | {errno.EIO}


def list_versions(model_directory: Path) -> list[int]:
    """Returns the versions that a server would find, oldest first."""
    if not model_directory.is_dir():
        return []
    return sorted(int(entry.name) for entry in model_directory.iterdir() if _is_version(entry))


def largest_number(model_directory: Path) -> int:
    """Returns the number that TensorFlow Serving takes for the latest version; 0 if there is none.

    It reads a name such as `007` as a number too, and looks into no folder.
    """
    if not model_directory.is_dir():
        return 0
    return max(
        (
            int(entry.name)
            for entry in model_directory.iterdir()
            if entry.name.isascii()
            and entry.name.isdecimal()
            and int(entry.name) <= LARGEST_VERSION
            and entry.is_dir()
        ),
        default=0,
    )


def content_stamp(version_directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Returns name, size and time of each file, so that a change of a folder can be seen.

    What vanishes or cannot be read while it looks is left out.
    """
    stamp = []
    for parent, _, files in os.walk(version_directory):
        for name in files:
            path = Path(parent, name)
            with suppress(OSError):
                facts = path.stat()
                stamp.append((str(path), facts.st_size, facts.st_mtime_ns))
    return tuple(sorted(stamp))


def next_version(model_directory: Path) -> int:
    """Returns seconds since 1970, like TFX's Pusher, or one more than the latest version.

    The latter where a version is not older than now: two pushes in one second, or a clock that
    went back. So versions grow strictly as long as the newest is not removed by hand.

    Raises:
        UserInputError: The latest version is the largest int64.
    """
    versions = list_versions(model_directory)
    version = max([int(time.time()), *(latest + 1 for latest in versions[-1:])])
    if version > LARGEST_VERSION:
        raise UserInputError(
            f"{model_directory}: no version above {versions[-1]} is left; remove that folder"
        )
    return version


@contextmanager
def pushing(model_directory: Path, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Holds the model's folder for one change and clears what a killed push left in it.

    Args:
        model_directory: The model's folder.
        on_wait: Called with a sentence if another holds the folder, before the wait for it.

    Raises:
        UserInputError: The folder cannot be made or written to, its disk is full, or it vanishes
            meanwhile; or a file elsewhere, such as the one to copy, cannot be read. The message
            names the folder or file.
    """
    try:
        model_directory.mkdir(parents=True, exist_ok=True)
        with _held(model_directory, on_wait):
            for prefix in (_PUSHING, _REMOVING):
                for leftover in model_directory.glob(f"{prefix}*"):
                    shutil.rmtree(leftover)
            yield
    except OSError as error:
        fault = _fault_of_a_file(model_directory, error)
        if fault is None:
            raise
        raise UserInputError(fault) from error


def publish(model_directory: Path, fill: Callable[[Path], Path | None], version: int) -> Path:
    """Makes a version appear by one rename.

    Args:
        model_directory: The model's folder, held by `pushing`.
        fill: Writes the version into a hidden folder, and checks it there. If it raises, or
            returns a version that is this one already, nothing is published and the hidden folder
            is removed.
        version: Larger than any in the folder.

    Returns:
        The folder of the version, or what `fill` returned.

    Raises:
        FileExistsError: There is such a version by now.
    """
    hidden = model_directory / f"{_PUSHING}{version}"
    destination = model_directory / str(version)
    hidden.mkdir()
    try:
        there = fill(hidden)
        if there is not None:
            shutil.rmtree(hidden)
            return there
        _flush_to_disk(hidden)
        if destination.exists():
            # A rename would replace an empty folder without a word.
            raise FileExistsError(errno.EEXIST, f"version {version} exists by now")
        hidden.rename(destination)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    with suppress(OSError):
        # The version is there by now, for a server too.
        flush(model_directory)
    return destination


def remove(model_directory: Path, version: int) -> None:
    """Makes a version disappear by one rename.

    Args:
        model_directory: The model's folder, held by `pushing`.
        version: One that is there.
    """
    hidden = model_directory / f"{_REMOVING}{version}"
    (model_directory / str(version)).rename(hidden)
    # What cannot be removed now is a leftover for the next push to clear.
    shutil.rmtree(hidden, ignore_errors=True)


def flush(path: Path) -> None:
    """Writes a file, or the names in a folder, through to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _held(model_directory: Path, on_wait: Callable[[str], None] | None) -> Iterator[None]:
    lock = FileLock(model_directory / _LOCK_FILE)
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        if on_wait is not None:
            on_wait(f"{model_directory} is held by a push or another change: waiting for its end")
        held = lock.acquire()
    with held:
        yield


def _fault_of_a_file(model_directory: Path, error: OSError) -> str | None:
    """Returns the line for a file system's fault, or None for what is no fault of it."""
    if error.errno is None and isinstance(error.__cause__, OSError):
        # TFX raises its own kinds around the system's.
        error = error.__cause__
    reason = error.strerror or str(error)
    named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    if named is not None and not _is_below(named, model_directory.parent):
        return f"{named}: {reason}" if error.errno in _FAULTS_OF_A_FILE else None
    if error.errno in _FAULTS_OF_THE_FOLDER:
        return (
            f"{model_directory}: cannot be written to: {reason}; "
            "name another folder with --home or make room in this one"
        )
    if named is not None and error.errno in _GONE and not named.parent.exists():
        return f"{named.parent}: the folder has vanished meanwhile; run this again"
    return None


def _is_below(path: Path, folder: Path) -> bool:
    # A file in the way of the folder itself counts as below it.
    return path.is_relative_to(folder) or folder.is_relative_to(path)


def _is_version(entry: Path) -> bool:
    """Tells a version from another name; with a leading zero it would be a second of its number."""
    name = entry.name
    return (
        name.isascii()
        and name.isdecimal()
        and str(int(name)) == name
        and int(name) <= LARGEST_VERSION
        and entry.is_dir()
    )


def _flush_to_disk(directory: Path) -> None:
    """Writes all below a folder through to the disk, contents before the names of them."""
    for parent, _, files in os.walk(directory, topdown=False):
        for file in files:
            flush(Path(parent, file))
        flush(Path(parent))
