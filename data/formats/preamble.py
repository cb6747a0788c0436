"""The lines above the rows of an ARFF or a .ts file: what they say of the rows.

Weka's ARFF names its columns, sktime's and aeon's .ts its dimensions, which are the channels here.
Readers of both exist (`scipy.io.arff`, `aeon.datasets`), and all hold the whole file in memory.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pipeline_config import UserInputError

_BEGINNING = re.compile(r"(?:[ \t]*(?:[%#][^\n]*)?\n)*[ \t]*@(?P<key>\w+)", re.I)
_COMMENTS = re.compile(r"(?:[ \t]*(?:[%#][^\n]*)?\n)*[ \t]*(?:[%#][^\n]*)?")
_TS_KEYS = frozenset(
    (
        *("problemname", "timestamps", "missing", "univariate", "dimension", "dimensions"),
        *("equallength", "serieslength", "classlabel", "targetlabel", "data"),
    )
)
_ATTRIBUTE = re.compile(
    r"""@attribute\s+(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<plain>\S+))\s*(?P<kind>.*)""",
    re.I,
)


@dataclasses.dataclass(frozen=True)
class Preamble:
    """What is said above the rows.

    Attributes:
        kind: The file's format.
        lines: How many lines it has, with `@data`.
        names: Of the columns of an ARFF file.
        dimensions: Of a .ts file.
        has_classes: Whether a class ends each row of a .ts file.
    """

    kind: Literal["arff", "ts"]
    lines: int
    names: tuple[str, ...] = ()
    dimensions: int = 1
    has_classes: bool = True

    @property
    def comment(self) -> str:
        """What a line between the rows begins with that is none."""
        return "%" if self.kind == "arff" else "#"


def begins_preamble(text: str) -> bool:
    """Returns whether a file's first characters are those of an ARFF or a .ts file.

    >>> begins_preamble("% ECG\\n@RELATION ecg\\n"), begins_preamble("0.5,1,2\\n")
    (True, False)
    """
    found = _BEGINNING.match(text)
    return found is not None and found["key"].lower() in _TS_KEYS | {"relation"}


def may_begin_preamble(text: str) -> bool:
    """Returns whether a file's first characters are comments, below which a preamble may begin."""
    return _COMMENTS.fullmatch(text) is not None


def read_preamble(lines: Sequence[str], path: str) -> Preamble | None:
    """Returns what the first lines of a file say, None if `@data` is not among them.

    Args:
        lines: The file's, from its first; see `begins_preamble`.
        path: The file, for messages.

    Raises:
        UserInputError: The rows are of a kind that is not read: with time stamps, or relational.
    """
    end = next((index for index, line in enumerate(lines) if _key(line) == "data"), None)
    if end is None:
        return None
    above = [line.strip() for line in lines[:end] if line.strip().startswith("@")]
    if any(_key(line) in ("relation", "attribute") for line in above):
        names = tuple(_attribute(line, path) for line in above if _key(line) == "attribute")
        if not names:
            raise UserInputError(f"{path}: an ARFF file without @attribute: save it again")
        return Preamble("arff", end + 1, names)
    said = {_key(line): line.split()[1:] for line in above}
    if _is_true(said, "timestamps"):
        raise UserInputError(
            f"{path}: a .ts file with time stamps (@timeStamps true) is not read: save its values "
            "alone, or as a series with a time column for --set data.series=true"
        )
    number = (said.get("dimensions") or said.get("dimension") or ["1"])[0]
    dimensions = int(number) if number.isdecimal() else 1
    has_classes = not said.keys() & {"classlabel", "targetlabel"} or (
        _is_true(said, "classlabel") or _is_true(said, "targetlabel")
    )
    return Preamble("ts", end + 1, (), max(dimensions, 1), has_classes)


def _key(line: str) -> str:
    """Returns the word behind the `@` that a line begins with, in lower case."""
    stripped = line.lstrip()
    return stripped[1:].split(None, 1)[0].lower() if re.match(r"@\w", stripped) else ""


def _is_true(said: Mapping[str, Sequence[str]], key: str) -> bool:
    return [word.lower() for word in said.get(key, ())[:1]] == ["true"]


def _attribute(line: str, path: str) -> str:
    found = _ATTRIBUTE.match(line)
    if found is None:
        raise UserInputError(f"{path}: {line[:60]!r} is no attribute of an ARFF file")
    name = found["single"] or found["double"] or found["plain"] or ""
    if found["kind"].lower().startswith("relational"):
        raise UserInputError(
            f"{path}: the attribute {name!r} is relational, which is not read: take the .ts file "
            "of the same data set, with --set data.channels=C for its C dimensions"
        )
    return name
