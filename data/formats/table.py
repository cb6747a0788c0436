"""The start of a CSV: the line that names the columns if there is one, and the first rows."""

import collections
import csv
import dataclasses
import functools
import itertools
from collections.abc import Collection, Sequence

from pipeline_config import UserInputError

LABEL_NAMES = frozenset({"label", "labels", "target", "class", "y"})
INDEX_NAMES = frozenset({"", "index", "id", "row", "unnamed: 0"})
TIME_NAMES = frozenset({"time", "timestamp", "date", "datetime"})

ROWS = 100
"""Rows that a file is judged by."""

_FEWEST_NUMBERS = 3
_FEWEST_STEPS = 5
_OTHER_SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'"}


@dataclasses.dataclass(frozen=True)
class Table:
    """The first rows of a file that agree on their number of cells.

    Attributes:
        names: The header's cells in lower case, one a column; None without such a header.
        rows: Cells of at least one row, without spaces around them.
        positions: Each column's place in the file, from 0.
    """

    names: Sequence[str] | None
    rows: Sequence[Sequence[str]]
    positions: Sequence[int]

    @property
    def columns(self) -> int:
        """Cells a row."""
        return len(self.positions)

    @functools.cached_property
    def numbers(self) -> list[list[float | None]]:
        """Values of the cells, row by row; None for one that is not a number."""
        return [[as_number(cell) for cell in row] for row in self.rows]

    def cells(self, place: int) -> list[str]:
        """Returns a column's cells."""
        return [row[place] for row in self.rows]

    def values(self, place: int) -> list[float | None]:
        """Returns a column's values; None for a cell that is not a number."""
        return [row[place] for row in self.numbers]

    def name(self, place: int) -> str | None:
        """Returns a column's name in lower case; None without a header."""
        return None if self.names is None else self.names[place]

    def without(self, positions: Collection[int]) -> "Table":
        """Returns the table without the columns at some places of the file."""
        kept = [index for index, place in enumerate(self.positions) if place not in positions]
        return Table(
            None if self.names is None else [self.names[index] for index in kept],
            [[row[index] for index in kept] for row in self.rows],
            [self.positions[index] for index in kept],
        )


@dataclasses.dataclass(frozen=True)
class Start:
    """What a file's first lines hold.

    Attributes:
        header: Index of the line that names the columns; None if no line does.
        names: That line's cells.
        counts: How many rows have how many cells.
        rows: Cells of the first rows.
    """

    header: int | None
    names: Sequence[str]
    counts: collections.Counter[int]
    rows: Sequence[Sequence[str]]

    def table(self, columns: int) -> Table | None:
        """Returns the rows that have so many cells; None if there is none."""
        rows = [[cell.strip() for cell in row] for row in self.rows if len(row) == columns][:ROWS]
        if not rows or columns < 1:
            return None
        names = [name.strip().lower() for name in self.names]
        return Table(names if len(names) == columns else None, rows, range(columns))


def read_start(lines: Sequence[str], path: str) -> Start:
    """Returns what the first lines of a file hold; blank ones are passed over.

    Raises:
        UserInputError: Fields are separated by something else than commas, lines by something else
            than line feeds, or the first line may be either a row or a header of times.
    """
    first = next((index for index, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return Start(None, [], collections.Counter(), [])
    if all("\r" in line.removesuffix("\r") for line in lines if line.strip()):
        raise UserInputError(
            f"{path}: lines end with CR alone: save the file with LF or CRLF line ends"
        )
    _require_commas(lines[first], path)
    names = cells_of(lines[first].strip())
    header = first if is_header(names) else None
    if header is None:
        _require_no_steps(names, path)
    below = lines[first if header is None else first + 1 :]
    rows = [cells_of(line) for line in below if line.strip()]
    counts = collections.Counter(map(len, rows))
    return Start(header, names if header is not None else [], counts, rows)


def _require_no_steps(cells: Sequence[str], path: str) -> None:
    numbers = [number for cell in cells if (number := as_number(cell)) is not None]
    if len(numbers) < max(_FEWEST_STEPS, len(cells)) or numbers[0] != 0:
        return
    if is_progression(numbers, 0.05):
        raise UserInputError(
            f"{path}: the first line, {', '.join(cells[:3])}, ..., may be times that name the "
            "columns or a row: take it out, or put a line of names above it"
        )


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


def is_progression(numbers: Sequence[float], tolerance: float = 1e-6) -> bool:
    """Returns whether each number is larger than the one before by the same step.

    Args:
        numbers: In their order.
        tolerance: How much steps may differ, as a share of the first.
    """
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    return bool(steps) and steps[0] > 0 and max(steps) - min(steps) <= tolerance * steps[0]


def label_column(names: Sequence[str]) -> int | None:
    """Returns the place, from 0, of the one column whose name is that of a label."""
    found = [place for place, name in enumerate(names) if name.strip().lower() in LABEL_NAMES]
    return found[0] if len(found) == 1 else None


def cells_of(line: str) -> list[str]:
    """Returns the cells of one line without quotes; none if its quotes are no CSV."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def as_number(cell: str) -> float | None:
    """Returns the cell's value, or None if it is not a number."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def shown(cell: str) -> str:
    """Returns a cell as a message quotes it."""
    return repr(cell if len(cell) <= 40 else f"{cell[:37]}...")


def _require_commas(line: str, path: str) -> None:
    for separator, name in _OTHER_SEPARATORS.items():
        if line.count(separator) >= max(1, line.count(",")):
            raise UserInputError(f"{path}: fields are separated by {name}: save it with commas")
    numbers = [as_number(cell) for cell in line.split()]
    if "," not in line and len(numbers) > 2 and None not in numbers:
        raise UserInputError(f"{path}: fields are separated by spaces: save it with commas")
