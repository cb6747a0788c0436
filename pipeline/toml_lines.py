"""Where the keys of a TOML text are: Python's reader gives the values without their lines."""

import tomllib
from collections.abc import Iterator
from typing import Any

Key = tuple[str, ...]
"""A key with the tables around it, such as `("heart", "data", "length")`."""


def lines_of_keys(text: str) -> dict[Key, int]:
    """Returns the line, counted from 1, on which each key and each table first appears.

    Each statement of TOML begins a line and is a document of its own, so the fewest lines that
    Python's reader takes are one.

    Args:
        text: A valid TOML document.
    """
    found: dict[Key, int] = {}
    table: Key = ()
    statement, first = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        if not statement:
            first = number
        statement += f"{line}\n"
        try:
            read = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        paths = list(_paths(read))
        if statement.lstrip().startswith("["):
            table = max(paths, key=len, default=())
            paths = [table]
        else:
            paths = [table + path for path in paths]
        for path in paths:
            for length in range(1, len(path) + 1):
                found.setdefault(path[:length], first)
        statement = ""
    return found


def _paths(values: dict[str, Any]) -> Iterator[Key]:
    for key, value in values.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *path) for path in _paths(value))
