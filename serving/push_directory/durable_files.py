"""Files that appear under their name whole or not at all, also after a power cut."""

import os
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
