"""Digests of the files that a pipeline reads, and files that are copies of each other."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

from data.spans.files import unreadable
from pipeline_config import UserInputError


def file_sha256(path: Path) -> str:
    """Returns a file's SHA-256 as hex digits, reading it in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FileDigests:
    """SHA-256 of files, as hex digits; each file is read once."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of_file(self, path: Path) -> str:
        """Returns the digest of a file's content.

        Raises:
            UserInputError: The file cannot be read.
        """
        if path not in self._known:
            try:
                self._known[path] = file_sha256(path)
            except OSError as error:
                raise UserInputError(unreadable(path, error)) from error
        return self._known[path]

    def of_files(self, files: Collection[Path]) -> str:
        """Returns one digest over names and contents, whatever order the files come in.

        A name counts from the folder that all files share, so a copy of the folder has the same
        digest and a file that moves from one span to another does not.

        Raises:
            UserInputError: A file cannot be read.
        """
        if not files:
            return hashlib.sha256().hexdigest()
        base = os.path.commonpath([path.absolute().parent for path in files])
        named = sorted((path.absolute().relative_to(base).as_posix(), path) for path in files)
        lines = [f"{self.of_file(path)}  {name}\n" for name, path in named]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def refuse_copies(self, paths: Iterable[Path]) -> None:
        """Checks that no two files of one data set have the same content.

        The name that is shorter is taken for the original's, as a copy is called `ecg (1).csv` or
        `ecg copy.csv`. Files without content are left to their reader.

        Raises:
            UserInputError: Two files have, or one cannot be read.
        """
        for copies in self._copies(paths):
            original, copy = sorted(copies, key=lambda path: (len(path.name), str(path)))[:2]
            raise UserInputError(f"{copy} is a copy of {original}: remove one of the two")

    def copies_between_spans(self, paths: Iterable[Path]) -> list[str]:
        """Returns a notice for the files of one span that are in another span too, if any are.

        A delivery may be the same as the one before, so this is no mistake by itself.
        """
        copies = self._copies(paths)
        if not copies:
            return []
        first, second, *_ = copies[0]
        more = f", and {len(copies) - 1} more such files" if len(copies) > 1 else ""
        return [f"{second} has the content of {first}: its rows count twice{more}"]

    def _copies(self, paths: Iterable[Path]) -> list[list[Path]]:
        """Returns the files of each content that several have; empty files do not count."""
        by_digest: dict[str, list[Path]] = defaultdict(list)
        for path in paths:
            if path.stat().st_size:
                by_digest[self.of_file(path)].append(path)
        return [same for same in by_digest.values() if len(same) > 1]
