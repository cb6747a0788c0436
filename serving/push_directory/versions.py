"""Versions of one model below the push directory, as a model server sees them.

A server loads each folder whose name is a decimal number. All other names are ours: a version is
written, and removed, under a hidden one, so that no server ever finds a part of it.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from pipeline_config import UserInputError

_LOCK_FILE = ".push.lock"
_PUSHING = ".pushing-"
_REMOVING = ".removing-"

_LARGEST_VERSION = 2**63 - 1

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


def list_versions(model_directory: Path) -> list[int]:
    """Returns the versions that a server would find, oldest first."""
    if not model_directory.is_dir():
        return []
    return sorted(int(entry.name) for entry in model_directory.iterdir() if _is_version(entry))


def content_stamp(version_directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Returns name, size and time of each file, so that a change of a folder can be seen."""
    stamp = []
    for path in sorted(version_directory.rglob("*")):
        try:
            facts = path.stat()
        except OSError:
            continue
        stamp.append((str(path.relative_to(version_directory)), facts.st_size, facts.st_mtime_ns))
    return tuple(stamp)


def next_version(model_directory: Path) -> int:
    """Returns seconds since 1970, like TFX's Pusher, or one more than the latest version.

    The latter where a version is not older than now: two pushes in one second, or a clock that
    went back. So versions grow strictly as long as the newest is not removed by hand.

    Raises:
        UserInputError: The latest version is the largest int64.
    """
    versions = list_versions(model_directory)
    version = max([int(time.time()), *(latest + 1 for latest in versions[-1:])])
    if version > _LARGEST_VERSION:
        raise UserInputError(
            f"{model_directory}: no version above {versions[-1]} is left; remove that folder"
        )
    return version


@contextmanager
def pushing(model_directory: Path) -> Iterator[None]:
    """Holds the model's folder for one change and clears what a killed push left in it.

    Raises:
        UserInputError: The folder cannot be made or written to, or its disk is full.
    """
    try:
        model_directory.mkdir(parents=True, exist_ok=True)
        with FileLock(model_directory / _LOCK_FILE):
            for prefix in (_PUSHING, _REMOVING):
                for leftover in model_directory.glob(f"{prefix}*"):
                    shutil.rmtree(leftover)
            yield
    except OSError as error:
        if error.errno not in _FAULTS_OF_THE_FOLDER:
            raise
        raise UserInputError(
            f"{model_directory}: cannot be written to: {error.strerror or error}; "
            "name another folder with --home or make room in this one"
        ) from error


def publish(model_directory: Path, fill: Callable[[Path], None], version: int) -> Path:
    """Makes a version appear by one rename.

    Args:
        model_directory: The model's folder, held by `pushing`.
        fill: Writes the version into a hidden folder, and checks it there. Where it raises,
            nothing is published and the hidden folder is removed.
        version: Larger than any in the folder.

    Returns:
        The folder of the version.

    Raises:
        FileExistsError: There is such a version by now.
    """
    hidden = model_directory / f"{_PUSHING}{version}"
    destination = model_directory / str(version)
    hidden.mkdir()
    try:
        fill(hidden)
        _flush_to_disk(hidden)
        if destination.exists():
            # A rename would replace an empty folder without a word.
            raise FileExistsError(errno.EEXIST, f"version {version} exists by now")
        hidden.rename(destination)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
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


def _is_version(entry: Path) -> bool:
    """Tells a version from another name; with a leading zero it would be a second of its number."""
    name = entry.name
    return (
        name.isascii()
        and name.isdecimal()
        and str(int(name)) == name
        and int(name) <= _LARGEST_VERSION
        and entry.is_dir()
    )


def _flush_to_disk(directory: Path) -> None:
    """Writes all below a folder through to the disk, contents before the names of them."""
    for parent, _, files in os.walk(directory, topdown=False):
        for file in files:
            flush(Path(parent, file))
        flush(Path(parent))
