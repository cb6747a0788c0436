"""Files that appear whole or not at all, also after a power cut."""

import os
from pathlib import Path


def publish(temporary: Path, final: Path) -> None:
    """Gives a finished file on the same file system its final name."""
    final.parent.mkdir(parents=True, exist_ok=True)
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
