"""Atomic publish: a version, or a small file, appears by one rename or not at all.

A version is written, and removed, under a hidden name, so that a server never finds part of one.
Each change of a model's folder holds its lock.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline_config import UserInputError
from serving.push_directory.durable_files import flush

_LOCK_FILE = ".push.lock"
_PUSHING = ".pushing-"
_REMOVING = ".removing-"

_FOLDER_ERRORS = frozenset(
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
_FILE_ERRORS = _FOLDER_ERRORS | _GONE | {errno.EIO}


@contextmanager
def pushing(model_directory: Path, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Locks the model's folder for one change and removes what a killed push left in it.

    Args:
        model_directory: The model's folder.
        on_wait: Called with a sentence if another process holds the lock, before the wait for it.

    Raises:
        UserInputError: The folder cannot be created or written to, its disk is full, or it
            vanishes meanwhile; or a file elsewhere, such as the one to copy, cannot be read. The
            message names the folder or file.
    """
    try:
        model_directory.mkdir(parents=True, exist_ok=True)
        with _held(model_directory, on_wait):
            for prefix in (_PUSHING, _REMOVING):
                for leftover in model_directory.glob(f"{prefix}*"):
                    shutil.rmtree(leftover)
            yield
    except OSError as error:
        message = _file_error(model_directory, error)
        if message is None:
            raise
        raise UserInputError(message) from error


def publish(model_directory: Path, fill: Callable[[Path], Path | None], version: int) -> Path:
    """Publishes a version by one rename.

    Args:
        model_directory: The model's folder, locked by `pushing`.
        fill: Writes the version into a hidden folder, and checks it there. If it raises, or
            returns the folder of a version that is the same already, nothing is published and the
            hidden folder is removed.
        version: Larger than any in the folder.

    Returns:
        The folder of the version, or what `fill` returned.

    Raises:
        FileExistsError: The version exists by now.
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
            # A rename would silently replace an empty folder.
            raise FileExistsError(errno.EEXIST, f"version {version} exists by now")
        hidden.rename(destination)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    with suppress(OSError):
        # The version is published already.
        flush(model_directory)
    return destination


def remove(model_directory: Path, version: int) -> None:
    """Removes a version by one rename.

    Args:
        model_directory: The model's folder, locked by `pushing`.
        version: An existing one.
    """
    hidden = model_directory / f"{_REMOVING}{version}"
    (model_directory / str(version)).rename(hidden)
    # The next push removes what is left.
    shutil.rmtree(hidden, ignore_errors=True)


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


def _file_error(model_directory: Path, error: OSError) -> str | None:
    """Returns a message for an error of the file system, or None for any other error."""
    if error.errno is None and isinstance(error.__cause__, OSError):
        # TFX wraps errors of the system in its own classes.
        error = error.__cause__
    reason = error.strerror or str(error)
    named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    if named is not None and not _is_below(named, model_directory.parent):
        return f"{named}: {reason}" if error.errno in _FILE_ERRORS else None
    if error.errno in _FOLDER_ERRORS:
        return (
            f"{model_directory}: cannot be written to: {reason}; "
            "name another folder with --home or make room in this one"
        )
    if named is not None and error.errno in _GONE and not named.parent.exists():
        return f"{named.parent}: the folder has vanished meanwhile; run this again"
    return None


def _is_below(path: Path, folder: Path) -> bool:
    # A file at the place of the folder itself counts as below it.
    return path.is_relative_to(folder) or folder.is_relative_to(path)


def _flush_to_disk(directory: Path) -> None:
    """Syncs all below a folder to the disk, contents before names."""
    for parent, _, files in os.walk(directory, topdown=False):
        for file in files:
            flush(Path(parent, file))
        flush(Path(parent))
