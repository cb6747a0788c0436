"""Files and folders that appear under their name whole, or not at all."""

import contextlib
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from serving.push_directory.durable_files import flush


@contextlib.contextmanager
def hidden_file(path: Path) -> Iterator[Path]:
    """Yields a new file's hidden name beside `path`; it takes that name if the block ends well.

    Whatever ends the process in between, `path` stays as it was. What a killed process left
    behind is removed by the next one. Of several that write to one path at once, each writes a
    file of its own, and the last to end gives its whole file the name. A link stays one: the file
    that it leads to is replaced.
    """
    path = path.resolve()
    with _new_part(path, Path.touch) as part:
        yield part
        flush(part)
        part.replace(path)


@contextlib.contextmanager
def hidden_folder(path: Path, check: Callable[[], object]) -> Iterator[Path]:
    """Does for a folder what `hidden_file` does for a file; a former folder goes away.

    Args:
        path: The folder.
        check: Raises if the folder at `path` must not be replaced; called last thing before it is.
    """
    path = path.resolve()
    with _new_part(path, Path.mkdir) as part:
        yield part
        # No system call swaps a folder that holds something, so for a moment there is none.
        former = _unused(path, "former")
        with _locked(path):
            check()
            if not path.exists():
                part.rename(path)
                return
            path.rename(former)
            try:
                part.rename(path)
            except OSError:
                former.rename(path)
                raise
            former.rename(part)
        shutil.rmtree(part, ignore_errors=True)


@contextlib.contextmanager
def _new_part(path: Path, make: Callable[[Path], object]) -> Iterator[Path]:
    """Yields what is being written, locked so that no other process takes it for a leftover."""
    part = _unused(path, "part")
    with contextlib.ExitStack() as held:
        # Another process could sweep the new part away before it is locked.
        with _locked(path):
            _clear_leftovers(path)
            make(part)
            held.callback(os.close, _lock_or_open(part))
        try:
            yield part
        except BaseException:
            _remove(part)
            raise


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lets one process at a time make, sweep or rename what lies beside a path.

    The lock is a file that goes away with its holder. One who waited for a file that is gone holds
    nothing, so it tries again.
    """
    lock = path.with_name(f".{path.name}.aepipe-lock")
    while True:
        lock.touch()
        with contextlib.suppress(FileNotFoundError):
            descriptor = _lock_or_open(lock)
            if _is_at(descriptor, lock):
                break
            os.close(descriptor)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _lock_or_open(path: Path) -> int:
    """Returns a descriptor whose lock the system takes back when the process ends.

    Some network file systems lock nothing, or no folders; one process writes well there too.
    """
    descriptor = _open(path)
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _open(path: Path) -> int:
    # A lock over NFS needs a file that is open for writing.
    return os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _unused(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{what}-{secrets.token_hex(4)}")


def _clear_leftovers(path: Path) -> None:
    """Removes what killed processes left; puts a folder back that one of them had set aside."""
    ours = re.compile(rf"\.{re.escape(path.name)}\.(part|former)-[0-9a-f]{{8}}")
    for entry in list(path.parent.iterdir()):
        found = ours.fullmatch(entry.name)
        if found is None:
            continue
        # What cannot be locked may be another process's.
        with contextlib.suppress(OSError):
            descriptor = _open(entry)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if found[1] == "former" and not path.exists():
                    entry.rename(path)
                else:
                    _remove(entry)
            finally:
                os.close(descriptor)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)
