"""Files that are read with another one: the signals and annotations of a WFDB record's header.

Format: https://wfdb.io/spec/header-files.html.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath

from data.spans.files import FileSystem

_HEADER = ".hea"
_OF_THE_SAME_NAME = (".dat", ".atr")


def companions_of(base: str, names: Iterable[str], files: FileSystem) -> tuple[str, ...]:
    """Returns the files that belong to the headers among some files, sorted, each once.

    These are the files that a header names, and its record's `.dat` and `.atr`. One that is not
    there is left to the reader of the record, which says so.

    Args:
        base: Folder of the names, or a remote prefix.
        names: Paths relative to it.
        files: Where the folder lies.

    Raises:
        UserInputError: A header cannot be read, or a companion is no file.
    """
    headers = [PurePosixPath(name) for name in names if name.lower().endswith(_HEADER)]
    beside = {
        folder: files.names(f"{base}/{folder}") for folder in {header.parent for header in headers}
    }
    found = {
        (header.parent / name).as_posix()
        for header in headers
        for name in _named(files.content(f"{base}/{header}"), header.stem, beside[header.parent])
    }
    for name in found:
        files.require_file(f"{base}/{name}")
    return tuple(sorted(found))


def _named(header: bytes, record: str, beside: list[str]) -> list[str]:
    lines = header.decode(errors="replace").splitlines()
    first_words = {words[0] for line in lines if (words := line.split()) and words[0][0] != "#"}
    # A record of several segments names these, each of which has a header of its own.
    wanted = first_words | {f"{word}{_HEADER}" for word in first_words}
    same_name = {f"{record}{suffix}".lower() for suffix in _OF_THE_SAME_NAME}
    return [
        name
        for name in beside
        if (name in wanted and name != f"{record}{_HEADER}") or name.lower() in same_name
    ]
