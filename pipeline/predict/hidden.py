"""Files and folders that appear under their name whole, or not at all."""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from data.durable import flush


@contextlib.contextmanager
def hidden_file(path: Path) -> Iterator[Path]:
    """Yields a new file's hidden name beside `path`; it takes that name if the block ends well.

    Whatever ends the process in between, `path` stays as it was. What a killed process left
    behind is removed by the next one.
    """
    _clear_leftovers(path)
    part = _part(path)
    part.touch()
    with _held(part):
        try:
            yield part
            flush(part)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def hidden_folder(path: Path) -> Iterator[Path]:
    """Does for a folder what `hidden_file` does for a file; a former folder goes away."""
    _clear_leftovers(path)
    part = _part(path)
    part.mkdir()
    with _held(part):
        try:
            yield part
            # No system call swaps a folder that holds something; this is as short as it gets.
            former = _part(path)
            if path.exists():
                path.rename(former)
            part.rename(path)
            shutil.rmtree(former, ignore_errors=True)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part-{secrets.token_hex(4)}")


@contextlib.contextmanager
def _held(part: Path) -> Iterator[None]:
    """Holds a lock that the system takes back when the process ends, however it ends."""
    descriptor = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _clear_leftovers(path: Path) -> None:
    for part in path.parent.glob(f".{path.name}.part-*"):
        descriptor = os.open(part, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
