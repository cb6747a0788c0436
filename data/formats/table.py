"""The start of a text file: the line that names the columns if there is one, and the first rows."""

import collections
import dataclasses
from collections.abc import Sequence

from data.formats.columns import (
    INDEX_NAMES,
    LABEL_NAMES,
    TIME_NAMES,
    Column,
    as_number,
    is_progression,
)
from data.formats.separators import COMMA, Separator, find_separator
from pipeline_config import UserInputError

ROWS = 100
"""Rows that a file is judged by."""

_FEWEST_NUMBERS = 3
_FEWEST_STEPS = 5


@dataclasses.dataclass(frozen=True)
class Start:
    """What a file's first lines hold.

    Attributes:
        header: Index of the line that names the columns; None if no line does.
        names: That line's cells.
        counts: How many rows have how many cells.
        rows: Cells of the first rows.
        separator: What is between the cells.
    """

    header: int | None
    names: Sequence[str]
    counts: collections.Counter[int]
    rows: Sequence[Sequence[str]]
    separator: Separator = COMMA

    @property
    def usual_count(self) -> int:
        """How many cells more than half of the rows have; 0 if there is no such number."""
        for count, rows in self.counts.most_common(1):
            if 2 * rows > self.counts.total():
                return count
        return 0

    def columns(self, count: int) -> list[Column]:
        """Returns the columns of the rows that have so many cells; none without such a row."""
        rows = [row for row in self.rows if len(row) == count][:ROWS]
        named = len(self.names) == count
        return [
            Column(
                place,
                self.names[place].strip().lower() if named else None,
                [cell.strip() for cell in cells],
            )
            for place, cells in enumerate(zip(*rows, strict=True))
        ]


def read_start(lines: Sequence[str], path: str, separator: str = "auto") -> Start:
    """Returns what the first lines of a file hold; blank ones are passed over.

    Args:
        lines: Without line ends.
        path: The file, for messages.
        separator: Value of `data.separator`.

    Raises:
        UserInputError: Cells are separated by something that is not read, lines by something else
            than line feeds, numbers have a decimal comma, or the first line may be either a row
            or a header of times.
    """
    first = next((index for index, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return Start(None, [], collections.Counter(), [])
    if all("\r" in line.removesuffix("\r") for line in lines if line.strip()):
        raise UserInputError(
            f"{path}: lines end with CR alone: save the file with LF or CRLF line ends"
        )
    found = find_separator(lines[first:], path, separator)
    names = found.cells(lines[first].strip(" "))
    header = first if is_header(names) else None
    if header is None:
        _require_no_steps(names, path)
    below = lines[first + (header is not None) :]
    return _start(header, names if header is not None else (), below, found)


def read_rows(
    lines: Sequence[str], path: str, separator: str = "auto", names: Sequence[str] = ()
) -> Start:
    """Returns what the first rows of a file hold whose columns are named elsewhere, or nowhere.

    Raises:
        UserInputError: See `find_separator`.
    """
    found = find_separator(lines, path, separator)
    if not any('"' in line for line in lines):
        # ARFF's own quote; no row of another such file has one.
        found = dataclasses.replace(found, quote="'")
    return _start(None, names, lines, found)


def _start(
    header: int | None, names: Sequence[str], lines: Sequence[str], separator: Separator
) -> Start:
    rows = [separator.cells(line) for line in lines if line.strip()]
    return Start(header, names, collections.Counter(map(len, rows)), rows, separator)


def is_header(cells: Sequence[str]) -> bool:
    """Returns whether a file's first line names columns rather than holds values.

    Names are no numbers, or numbers that count the columns: `0,1,2` (pandas names columns without
    a name so), `1,2,3`, or steps of time such as `0.0,0.5,1.0,label`, with names before or behind
    them: `,0,1,2`, `id,1,2,3,label`.

    >>> is_header(["", "0", "1", "2"]), is_header(["0.5", "1.5", "-2", "1"])
    (True, False)
    """
    numbers = [as_number(cell) for cell in cells]
    if all(number is None for number in numbers):
        return any(cell.strip() for cell in cells)
    first = next(place for place, number in enumerate(numbers) if number is not None)
    counted = [number for number in numbers if number is not None]
    if numbers[first : first + len(counted)] != counted:
        return False
    if all(cell.strip().isdigit() for cell in cells[first : first + len(counted)]):
        start = counted[0]
        counts = counted == [start + step for step in range(len(counted))]
        return counts and (start == 0 or (start == 1 and len(counted) >= _FEWEST_NUMBERS))
    names = {cell.strip().lower() for cell in cells}
    named = bool(names & (LABEL_NAMES | INDEX_NAMES | TIME_NAMES))
    return named and len(counted) >= _FEWEST_NUMBERS and is_progression(counted, 0.05)


def _require_no_steps(cells: Sequence[str], path: str) -> None:
    numbers = [number for cell in cells if (number := as_number(cell)) is not None]
    if len(numbers) < max(_FEWEST_STEPS, len(cells)) or numbers[0] != 0:
        return
    if is_progression(numbers, 0.05):
        raise UserInputError(
            f"{path}: the first line, {', '.join(cells[:3])}, ..., may be times that name the "
            "columns or a row: take it out, or put a line of names above it"
        )
