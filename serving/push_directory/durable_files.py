"""Files and folders that appear under their name whole or not at all, also after a power cut."""

import contextlib
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Writes a small UTF-8 file, or replaces one, by a rename.

    Raises:
        OSError: It cannot be written; what was at `path` is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        publish(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def publish(temporary: Path, final: Path) -> None:
    """Gives a finished file its final name, on the same file system."""
    flush(temporary)
    temporary.replace(final)
    flush(final.parent)


def flush(path: Path) -> None:
    """Writes a file, or the names in a folder, through to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
        publish(part, path)


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
        with _locked(path.parent):
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
        # Another process could remove the new part before it is locked.
        with _locked(path.parent):
            _clear_leftovers(path)
            make(part)
            held.enter_context(_locked(part))
        try:
            yield part
        except BaseException:
            _remove(part)
            raise


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a file's or folder's lock; the system frees it when the process ends.

    Some network file systems lock nothing, or no folders; one process writes well there too.
    """
    descriptor = _open(path)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    # A lock over NFS needs a file that is open for writing.
    return os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)


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
