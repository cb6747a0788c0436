"""One digest over files that a pipeline reads."""

import glob
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from span_patterns import as_glob


def matching_files(directory: Path, patterns: Iterable[str]) -> list[Path]:
    """Returns the files below `directory` that match any of the patterns, sorted by name.

    Patterns are TFX's: `{SPAN}` and `{VERSION}` match anything. As in a shell, `*` does not match
    a hidden file.
    """
    globs = [as_glob(pattern) for pattern in patterns]
    names = {name for one in globs for name in glob.glob(one, root_dir=directory)}  # noqa: PTH207
    return [directory / name for name in sorted(names) if (directory / name).is_file()]


def file_sha256(path: Path) -> str:
    """Returns a file's SHA-256 as hex digits, reading it in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_sha256(files: Sequence[Path]) -> str:
    """Returns one SHA-256 over names and contents, whatever order the files come in.

    A name counts from the folder that all files share, so a copy of the folder has the same digest
    and a file that moves from one span to another does not.
    """
    if not files:
        return hashlib.sha256().hexdigest()
    base = os.path.commonpath([path.absolute().parent for path in files])
    named = sorted((path.absolute().relative_to(base).as_posix(), path) for path in files)
    lines = [f"{file_sha256(path)}  {name}\n" for name, path in named]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
