"""Which of the paths that a user spelled are one file, or lie one within the other."""

import itertools
import os
import stat
import unicodedata
from pathlib import Path


def is_remote(path: str) -> bool:
    """Returns whether a path lies on a file system of its own scheme, such as `gs://`."""
    return "://" in path


def overlap(one: str, other: str) -> bool:
    """Returns whether writing to one path could change what lies at the other.

    That is so if both are one file or folder, or if one lies below the other, however they are
    spelled: relative or not, with `..`, through links or as hard links. Names of files that do not
    exist yet are compared regardless of case, as some file systems take them for one.
    """
    if is_remote(one) or is_remote(other):
        first, second = f"{one.rstrip('/')}/", f"{other.rstrip('/')}/"
        return first.startswith(second) or second.startswith(first)
    first_path, second_path = (Path(os.path.realpath(path)) for path in (one, other))
    pairs = itertools.chain(
        [(first_path, second_path)],
        ((first_path, above) for above in second_path.parents),
        ((above, second_path) for above in first_path.parents),
    )
    return any(_is_one(*pair) for pair in pairs)


def is_standard_input(path: str) -> bool:
    """Returns whether a path is the file that a shell redirected to standard input."""
    try:
        opened = os.fstat(0)
        return stat.S_ISREG(opened.st_mode) and os.path.samestat(opened, Path(path).stat())
    except OSError:
        return False


def _is_one(one: Path, other: Path) -> bool:
    there = one.exists(), other.exists()
    if all(there):
        return one.samefile(other)
    if any(there):
        return False
    return _folded(one.name) == _folded(other.name) and _is_one(one.parent, other.parent)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
