"""Digests of the files that a pipeline reads."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from data.files import unreadable
from pipeline_config import UserInputError


def file_sha256(path: Path) -> str:
    """Returns a file's SHA-256 as hex digits, reading it in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FileDigests:
    """SHA-256 of files, each of which is read once as long as it does not change."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int, int, int], str] = {}

    def sha256(self, path: Path) -> str:
        """Returns a file's SHA-256 as hex digits.

        Raises:
            UserInputError: The file cannot be read.
        """
        try:
            found = path.stat()
            times = (found.st_mtime_ns, found.st_ctime_ns)
            key = (str(path), found.st_ino, found.st_size, *times)
            if key not in self._known:
                self._known[key] = file_sha256(path)
        except OSError as error:
            raise UserInputError(unreadable(path, error)) from error
        return self._known[key]


def files_sha256(files: Sequence[Path], digests: FileDigests | None = None) -> str:
    """Returns one SHA-256 over names and contents, whatever order the files come in.

    A name counts from the folder that all files share, so a copy of the folder has the same digest
    and a file that moves from one span to another does not.

    Args:
        files: What to digest.
        digests: Those of single files, read before or now.

    Raises:
        UserInputError: A file cannot be read.
    """
    if not files:
        return hashlib.sha256().hexdigest()
    digests = digests or FileDigests()
    base = os.path.commonpath([path.absolute().parent for path in files])
    named = sorted((path.absolute().relative_to(base).as_posix(), path) for path in files)
    lines = [f"{digests.sha256(path)}  {name}\n" for name, path in named]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
