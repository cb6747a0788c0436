"""Files that appear whole or not at all, also after a power cut."""

import os
from pathlib import Path


def publish(temporary: Path, final: Path) -> None:
    """Gives a finished file on the same file system its final name."""
    final.parent.mkdir(parents=True, exist_ok=True)
    _flush(temporary)
    temporary.replace(final)
    _flush(final.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
