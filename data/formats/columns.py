"""Columns of a file's first rows, and what one looks like if it does not look like samples."""

import dataclasses
import functools
import itertools
import math
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from data.formats.labels import class_name, is_class

BINARY_LABELS = frozenset({0.0, 1.0})
"""Values of a signal's label: abnormal and normal."""

LABEL_NAMES = frozenset({"label", "labels", "target", "class", "y"})
INDEX_NAMES = frozenset({"", "index", "id", "row", "unnamed: 0"})
TIME_NAMES = frozenset({"time", "timestamp", "date", "datetime"})

_ALMOST_ALL = 0.9
_MOST_CLASSES = 10
_MANY_ROWS = 10
_MOST_NAMED = 5
_FIRST_EPOCH = 1e8
"""Seconds since 1970 in March 1973; today's counts of finer units are larger."""

_TIME_TEXT = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d{2}")


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a file's first rows.

    Attributes:
        position: Its place in the file, from 0.
        name: Its name in lower case; None if the file does not name its columns.
        cells: At least one, without spaces around them.
    """

    position: int
    name: str | None
    cells: Sequence[str]

    @functools.cached_property
    def values(self) -> list[float | None]:
        """Values of the cells; None for one that is not a number."""
        return [as_number(cell) for cell in self.cells]

    @functools.cached_property
    def numbers(self) -> list[float]:
        """The finite values."""
        return [value for value in self.values if value is not None and math.isfinite(value)]

    @property
    def is_empty(self) -> bool:
        """Whether nearly no cell holds anything."""
        return _share(not cell for cell in self.cells) >= _ALMOST_ALL

    @property
    def is_text(self) -> bool:
        """Whether nearly every cell holds something that is not a number."""
        cells = zip(self.cells, self.values, strict=True)
        return _share(bool(cell) and value is None for cell, value in cells) >= _ALMOST_ALL

    @property
    def is_numeric(self) -> bool:
        """Whether nine of ten cells, or all but one of a few, are finite numbers."""
        others = len(self.cells) - len(self.numbers)
        return others <= max(1, (1 - _ALMOST_ALL) * len(self.cells))

    def holds_labels(self, labels: Collection[float], spared: int = 0) -> bool:
        """Returns whether nine of ten cells hold one of the labels.

        Args:
            labels: Numbers that a label may be.
            spared: So many other cells are not held against a column of a few rows.
        """
        others = sum(value not in labels for value in self.values)
        rows = len(self.cells)
        return others <= max(spared, int((1 - _ALMOST_ALL) * rows)) and others < rows

    @property
    def distinct(self) -> str:
        """The distinct values if they are few, else the first ones, for a message."""
        if None in self.values or len(set(self.values)) > _MOST_CLASSES:
            return self.first_cells
        named = [
            f"{value:g}" for value in sorted({value for value in self.values if value is not None})
        ]
        return (
            " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named) + " alone"
        )

    @property
    def first_cells(self) -> str:
        """The first cells, for a message."""
        return ", ".join(self.cells[:3]) + (", ..." if len(self.cells) > 3 else "")


@dataclasses.dataclass(frozen=True)
class OddColumn:
    """A column that does not look like samples.

    Attributes:
        place: Its index among the columns.
        kind: What it looks like.
        found: What was seen in it; the end of a sentence that begins with the column.
    """

    place: int
    kind: Literal["empty", "index", "times", "text", "label"]
    found: str


def odd_columns(columns: Sequence[Column], *, labelled: bool = True) -> list[OddColumn]:
    """Returns the columns that look like neither samples nor labels.

    Args:
        columns: In the file's order.
        labelled: Whether the last may hold labels.

    Text and nothing are seen in any column; an index and times among numbers only in
    front, which is where programs write them. A table with much text is no table of samples with
    a column too many: each row's own fault says more, so nothing is returned.
    """
    found: list[OddColumn] = []
    in_front = True
    last = len(columns) - 1
    for place in range(last if labelled else last + 1):
        odd = _text_or_empty(columns, place)
        if odd is None and in_front and place < last:
            odd = _odd_numbers(columns, place)
        if odd is not None:
            found.append(odd)
        # A label may stand between an index and the samples.
        in_front = in_front and (odd is not None or holds_classes(columns, place))
    if columns[last].is_empty:
        found = [odd for odd in found if odd.place != last]
        found.append(OddColumn(last, "empty", "is empty: a separator ends each line"))
    unread = sum(odd.kind in ("text", "empty") for odd in found)
    return found if unread <= _MOST_NAMED else []


def holds_classes(columns: Sequence[Column], place: int) -> bool:
    """Returns whether a column holds a few whole numbers, and not one alone, unlike the others."""
    values = set(columns[place].numbers)
    if not 2 <= len(values) <= _MOST_CLASSES or not columns[place].is_numeric:
        return False
    if not all(value.is_integer() for value in values):
        return False
    if values <= BINARY_LABELS:
        return _others_are_no_bits(columns, place)
    return len(columns[place].cells) >= _MANY_ROWS and not _others_are_whole(columns, place)


def may_be_classes(columns: Sequence[Column], place: int) -> bool:
    """Returns whether a column that is said to hold labels may do so.

    Classes are text or whole numbers, and several rows have the same; one cell, or one in ten, may
    be wrong. Among whole samples, as a converter gives them, classes are few and not like these.
    """
    column = columns[place]
    cells = [cell for cell in column.cells if class_name(cell)]
    rows = len(cells)
    classes = {class_name(cell) for cell in cells}
    if not cells or (len(classes) == rows and rows >= 2 * _MANY_ROWS):
        return False
    wrong = sum(not is_class(cell) for cell in cells)
    if wrong > max(1, int((1 - _ALMOST_ALL) * rows)) or wrong == rows:
        return False
    if column.is_text or not _others_are_whole(columns, place):
        return True
    numbers = set(column.numbers)
    others = _share(value in numbers for value in _others(columns, place))
    few = rows >= _MANY_ROWS and len(classes) <= min(_MOST_CLASSES, rows // 2)
    return few and others <= 1 - _ALMOST_ALL


def holds_one_class(columns: Sequence[Column], place: int, beside: int) -> bool:
    """Returns whether a column is 0 or 1 throughout, and neither its neighbour nor the others are.

    A file that is sorted by class begins with rows of one label.
    """
    values = set(columns[place].values)
    return (
        len(columns[place].cells) >= _MANY_ROWS
        and len(values) == 1
        and values <= BINARY_LABELS
        and len(set(columns[beside].values)) > 1
        and _others_are_no_bits(columns, place)
    )


def is_progression(numbers: Sequence[float], tolerance: float = 1e-6) -> bool:
    """Returns whether each number is larger than the one before by the same step.

    Args:
        numbers: In their order.
        tolerance: How much steps may differ, as a share of the first.
    """
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    return bool(steps) and steps[0] > 0 and max(steps) - min(steps) <= tolerance * steps[0]


def as_number(cell: str) -> float | None:
    """Returns the cell's value, or None if it is not a number."""
    try:
        # float() takes underscores between digits.
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def shown(cell: str) -> str:
    """Returns a cell as a message quotes it."""
    return repr(cell if len(cell) <= 40 else f"{cell[:37]}...")


def _text_or_empty(columns: Sequence[Column], place: int) -> OddColumn | None:
    column = columns[place]
    if len(column.cells) < 2:
        return None
    if column.is_empty:
        return OddColumn(place, "empty", "is empty")
    if not column.is_text:
        return None
    text = next(cell for cell in column.cells if cell)
    kind: Literal["times", "text"] = "times" if _TIME_TEXT.search(text) else "text"
    return OddColumn(place, kind, f"holds {kind} such as {shown(text)}")


def _odd_numbers(columns: Sequence[Column], place: int) -> OddColumn | None:
    column, beside = columns[place], columns[place + 1].numbers
    name, numbers, first_cells = column.name, column.numbers, column.first_cells
    if name in INDEX_NAMES:
        named = f"is named {shown(name)}" if name else "has no name in the header"
        return OddColumn(place, "index", f"{named} and holds {first_cells}")
    if name in TIME_NAMES:
        return OddColumn(place, "times", f"is named {shown(name)} and holds {first_cells}")
    if len(numbers) < 2 or not column.is_numeric:
        return None
    if min(numbers) >= _FIRST_EPOCH and max(map(abs, beside), default=0.0) < _FIRST_EPOCH:
        return OddColumn(place, "times", f"holds times such as {column.cells[0]}")
    others_are_whole = _others_are_whole(columns, place)
    if _counts(numbers, others_are_whole) and not _counts(beside, others_are_whole):
        return OddColumn(place, "index", f"counts {first_cells}")
    if len(numbers) >= _MANY_ROWS and _rises(numbers) and not _rises(beside):
        return OddColumn(place, "index", f"rises from row to row, {first_cells}")
    are_numbers_of_rows = _are_numbers_of_rows(numbers, beside, others_are_whole)
    if are_numbers_of_rows and not holds_classes(columns, place):
        return OddColumn(place, "index", f"holds whole numbers, {first_cells}")
    return None


def _counts(numbers: Sequence[float], others_are_whole: bool) -> bool:
    if not is_progression(numbers):
        return False
    whole = all(number.is_integer() for number in numbers)
    if len(numbers) >= _MANY_ROWS // 2 or not whole:
        return len(numbers) > 2
    # A few whole samples may well be 3, 5, 7, or 3, 4.
    from_start = not others_are_whole and numbers[0] in BINARY_LABELS
    return numbers[1] - numbers[0] == 1 and (len(numbers) > 2 or from_start)


def _are_numbers_of_rows(
    numbers: Sequence[float], beside: Sequence[float], others_are_whole: bool
) -> bool:
    """Shuffled or picked rows keep their numbers."""
    if min(numbers) < 0 or not all(number.is_integer() for number in numbers):
        return False
    distinct = len(set(numbers))
    if others_are_whole:
        many = len(numbers) >= 2 * _MANY_ROWS
        return many and distinct == len(numbers) and len(set(beside)) < len(beside)
    return distinct > _MOST_CLASSES or (distinct == len(numbers) and distinct > 2)


def _others_are_whole(columns: Sequence[Column], place: int) -> bool:
    return _share(value.is_integer() for value in _others(columns, place)) > 0.5


def _others_are_no_bits(columns: Sequence[Column], place: int) -> bool:
    others = _others(columns, place)
    return _share(value in BINARY_LABELS for value in others) <= 1 - _ALMOST_ALL


def _others(columns: Sequence[Column], place: int) -> list[float]:
    """Returns the values of what may be samples if a column is none."""
    first = place + 1 if place < len(columns) - 1 else 1
    return [number for column in columns[first:-1] for number in column.numbers]


def _rises(numbers: Sequence[float]) -> bool:
    return all(before < after for before, after in itertools.pairwise(numbers))


def _share(found: Iterable[bool]) -> float:
    values = list(found)
    return sum(values) / len(values) if values else 0.0
