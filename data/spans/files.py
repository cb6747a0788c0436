"""Which files of a folder a file pattern matches: one rule, on every file system."""

import functools
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Protocol

from data.spans.names import as_glob, part_regex
from pipeline_config import ImageData, SignalData, UserInputError

_BACKUP_ENDS = ("~", ".bak", ".old", ".orig", ".swp", ".tmp", ".part", ".partial", ".crdownload")
"""What editors, backups and unfinished downloads add to a name."""

_DOCUMENT = re.compile(
    r"(?:read[-_]?me|licen[cs]e|copying|notice|citation|changelog|authors|(?:sha\d+|md5|check)sums?)"
    r"(?:[-_ ][^.]*)?(?:\.(?:txt|md|rst|html?|pdf))?",
    re.IGNORECASE,
)
"""Names of text about data, such as README.txt, that lies beside them."""

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
"""Files that hold one example each."""

_OTHER_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class FileSystem(Protocol):
    """What the rule needs of a file system; paths are absolute, with `/` between their parts."""

    def names(self, folder: str) -> list[str]:
        """Returns what a folder holds; nothing if there is no such folder."""

    def is_folder(self, path: str) -> bool:
        """Whether a path leads to a folder."""

    def require_file(self, path: str) -> None:
        """Raises UserInputError if a path does not lead to a file."""

    def size_and_time(self, path: str) -> tuple[int, int]:
        """Returns a file's bytes, and when it was changed in nanoseconds since 1970."""

    def content(self, path: str) -> bytes:
        """Returns what a small file holds."""


class LocalFiles:
    """Files of this machine."""

    def names(self, folder: str) -> list[str]:
        """Returns what a folder holds; nothing if there is no such folder.

        Raises:
            UserInputError: The folder cannot be read.
        """
        try:
            return [path.name for path in Path(folder).iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise UserInputError(unreadable(folder, error)) from error

    def is_folder(self, path: str) -> bool:
        """Whether a path leads to a folder."""
        return Path(path).is_dir()

    def require_file(self, path: str) -> None:
        """Checks that a path leads to a file.

        Raises:
            UserInputError: It leads nowhere, or to something that has no end; or its name is no
                text.
        """
        if not _is_text(path):
            shown = os.fsencode(path).decode(errors="backslashreplace")
            raise UserInputError(f"{shown}: the file's name is not UTF-8: rename it")
        try:
            mode = Path(path).stat().st_mode
        except FileNotFoundError as error:
            if not Path(path).is_symlink():
                raise UserInputError(f"{path}: no such file") from error
            raise UserInputError(
                f"{path}: a link to {Path(path).readlink()}, which is not there: "
                "bring that file back or remove the link"
            ) from error
        except OSError as error:
            raise UserInputError(unreadable(path, error)) from error
        for is_kind, kind in _OTHER_KINDS:
            if is_kind(mode):
                raise UserInputError(f"{path}: {kind}, not a file: move it out of the data folder")

    def size_and_time(self, path: str) -> tuple[int, int]:
        """Returns a file's bytes, and when it was changed in nanoseconds since 1970."""
        found = Path(path).stat()
        return found.st_size, found.st_mtime_ns

    def content(self, path: str) -> bytes:
        """Returns what a small file holds.

        Raises:
            UserInputError: It cannot be read.
        """
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise UserInputError(unreadable(path, error)) from error


LOCAL = LocalFiles()


def splits_of(data: SignalData | ImageData) -> dict[str, str]:
    """Returns a config's file patterns by the name of their input split at ExampleGen."""
    if isinstance(data, ImageData):
        return {"train": data.train_pattern, "eval": data.eval_pattern}
    return {"all": data.pattern}


def patterns_of(data: SignalData | ImageData) -> tuple[str, ...]:
    """Returns a config's file patterns; each must match at least one file."""
    return tuple(splits_of(data).values())


def unreadable(path: str | Path, error: OSError) -> str:
    """Returns the one line that says why a file or a folder of raw data cannot be read."""
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return f"{path}: cannot be read: {reason}"


def matching_names(base: str, pattern: str, files: FileSystem = LOCAL) -> list[str]:
    """Returns the files below a folder that a pattern matches, relative to it and sorted.

    As in a shell, `*`, `?` and `[…]` match no hidden file and no `/`, and `{a,b}` is one of both.
    Placeholders such as `{SPAN}` are TFX's. A file's name matches in upper and lower case alike,
    so `*.csv` is `ECG.CSV` too; folders match as they are written. A backup (`ecg.csv~`,
    `ecg.csv.bak`) or an unfinished download matches only a pattern that ends as its name does,
    and text about the data (`README.txt`, `LICENSE`) only one that begins as its name does. What
    is special in the folder's own path means nothing.

    Args:
        base: The folder.
        pattern: Relative to it.
        files: Where the folder lies.

    Raises:
        UserInputError: A folder cannot be read, or the pattern starts with `/`.
    """
    if pattern.startswith("/"):
        raise UserInputError(
            f"{pattern}: a file pattern counts from the data folder, {base}: "
            "write it without the folder, which --data-dir names"
        )
    *folders, last = pattern.split("/")
    places = [""]
    for part in folders:
        places = [
            f"{place}{name}/"
            for place in places
            for name in _matching_parts(f"{base}/{place}", part, files, re.NOFLAG)
        ]
    return sorted(
        place + name
        for place in places
        for name in _matching_parts(f"{base}/{place}", last, files, re.IGNORECASE)
        if not _is_aside(name, last) and not files.is_folder(f"{base}/{place}{name}")
    )


def matches(name: str, pattern: str) -> bool:
    """Whether a file of this name, relative to the data folder, would match a pattern."""
    parts, patterns = name.split("/"), pattern.split("/")
    flags = [*(re.NOFLAG for _ in patterns[1:]), re.IGNORECASE]
    return (
        len(parts) == len(patterns)
        and all(map(_is_match, parts, patterns, flags))
        and not _is_aside(parts[-1], patterns[-1])
    )


def literal_pattern(name: str) -> str:
    """Returns the pattern that matches a file of this name alone."""
    return re.sub(r"[*?[{]", r"[\g<0>]", name)


def matching_files(directory: Path, patterns: Iterable[str]) -> list[Path]:
    """Returns the files below a folder of this machine that match any pattern, sorted by name."""
    names = {name for pattern in patterns for name in matching_names(str(directory), pattern)}
    return [directory / name for name in sorted(names)]


def refuse_compressed_twins(paths: Iterable[str]) -> None:
    """Checks that no file is read beside a copy of it that is compressed.

    Raises:
        UserInputError: One is.
    """
    in_any_case = {path.lower(): path for path in paths}
    for lower, path in in_any_case.items():
        if twin := in_any_case.get(f"{lower}.gz"):
            name = PurePosixPath(twin).name
            raise UserInputError(f"{path}: there is a {name} beside it: remove one of the two")


def _matching_parts(
    folder: str, part: str, files: FileSystem, flags: re.RegexFlag
) -> Iterable[str]:
    if part in ("", ".", ".."):
        return [part]
    return [name for name in files.names(folder) if _is_match(name, part, flags)]


def _is_match(name: str, part: str, flags: re.RegexFlag) -> bool:
    if name.startswith(".") and not part.startswith("."):
        return False
    return _compiled(part, flags).fullmatch(name) is not None


@functools.lru_cache
def _compiled(part: str, flags: re.RegexFlag) -> re.Pattern[str]:
    try:
        return re.compile(part_regex(as_glob(part)), flags)
    except re.error as error:
        raise UserInputError(f"{part}: not a file pattern: {error}") from error


def _is_aside(name: str, part: str) -> bool:
    """Whether a file is a backup or about the data, and the pattern does not ask for it."""
    name, part = name.lower(), part.lower()
    if any(name.endswith(end) and not part.endswith(end) for end in _BACKUP_ENDS):
        return True
    return _DOCUMENT.fullmatch(name) is not None and part[:4] != name[:4]


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
