"""What a column of a table looks like, if it does not look like samples."""

import dataclasses
import enum
import itertools
import math
import re
from collections.abc import Collection, Iterable, Sequence

from data.formats.table import INDEX_NAMES, TIME_NAMES, Table, is_progression, shown

BINARY_LABELS = frozenset({0.0, 1.0})
"""Values of a signal's label: abnormal and normal."""

_ALMOST_ALL = 0.9
_MOST_CLASSES = 10
_MANY_ROWS = 10
_MOST_NAMED = 5
_FIRST_EPOCH = 1e8
"""Seconds since 1970 in March 1973; today's counts of finer units are larger."""

_TIME_TEXT = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d{2}")


class ColumnKind(enum.Enum):
    """What a column holds instead of samples."""

    EMPTY = "empty"
    INDEX = "an index"
    TIME = "times"
    TEXT = "text"
    LABEL = "labels"


@dataclasses.dataclass(frozen=True)
class OddColumn:
    """A column that does not look like samples.

    Attributes:
        place: Its index in the table.
        kind: What it looks like.
        found: What was seen in it; the end of a sentence that begins with the column.
    """

    place: int
    kind: ColumnKind
    found: str


def odd_columns(table: Table) -> list[OddColumn]:
    """Returns the columns that look like neither samples nor labels.

    Text and nothing are seen in any column; an index and times among numbers only in
    front, which is where programs write them. A table with much text is no table of samples with
    a column too many: each row's own fault says more, so nothing is returned.
    """
    found: list[OddColumn] = []
    in_front = True
    for place in range(table.columns - 1):
        odd = _text_or_empty(table, place)
        if odd is None and in_front:
            odd = _odd_numbers(table, place)
        if odd is not None:
            found.append(odd)
        # A label may stand between an index and the samples.
        in_front = in_front and (odd is not None or holds_classes(table, place))
    last = table.columns - 1
    if is_empty(table, last):
        found.append(OddColumn(last, ColumnKind.EMPTY, "is empty: a comma ends each line"))
    unread = sum(odd.kind in (ColumnKind.TEXT, ColumnKind.EMPTY) for odd in found)
    return found if unread <= _MOST_NAMED else []


def is_empty(table: Table, place: int) -> bool:
    """Returns whether nearly no cell of a column holds anything."""
    return _share(not cell for cell in table.cells(place)) >= _ALMOST_ALL


def is_text(table: Table, place: int) -> bool:
    """Returns whether nearly every cell of a column holds something that is not a number."""
    cells = zip(table.cells(place), table.values(place), strict=True)
    return _share(bool(cell) and value is None for cell, value in cells) >= _ALMOST_ALL


def holds_labels(table: Table, place: int, labels: Collection[float], spared: int = 0) -> bool:
    """Returns whether nine of ten cells of a column hold one of the labels.

    Args:
        table: The first rows of a file.
        place: The column.
        labels: Numbers that a label may be.
        spared: So many other cells are not held against a table of a few rows.
    """
    others = sum(value not in labels for value in table.values(place))
    rows = len(table.rows)
    return others <= max(spared, int((1 - _ALMOST_ALL) * rows)) and others < rows


def holds_classes(table: Table, place: int) -> bool:
    """Returns whether a column holds a few whole numbers, and not one alone, unlike the others."""
    values = set(_finite(table.values(place)))
    if not 2 <= len(values) <= _MOST_CLASSES or not _are_numbers(table, place):
        return False
    if not all(value.is_integer() for value in values):
        return False
    if values <= BINARY_LABELS:
        others = _others(table, place)
        return _share(value in BINARY_LABELS for value in others) <= 1 - _ALMOST_ALL
    return len(table.rows) >= _MANY_ROWS and not _others_are_whole(table, place)


def holds_one_class(table: Table, place: int, beside: int) -> bool:
    """Returns whether a column is 0 or 1 throughout, and neither its neighbour nor the others are.

    A file that is sorted by class begins with rows of one label.
    """
    values = set(table.values(place))
    if len(table.rows) < _MANY_ROWS or len(values) != 1 or not values <= BINARY_LABELS:
        return False
    if len(set(table.values(beside))) == 1:
        return False
    return _share(value in BINARY_LABELS for value in _others(table, place)) <= 1 - _ALMOST_ALL


def values_in(table: Table, place: int) -> str:
    """Returns a column's distinct values if they are few, else its first ones, for a message."""
    values = set(table.values(place))
    if None in values or len(values) > _MOST_CLASSES:
        return _few(table.cells(place))
    named = [f"{value:g}" for value in sorted(value for value in values if value is not None)]
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named) + " alone"


def _text_or_empty(table: Table, place: int) -> OddColumn | None:
    if len(table.rows) < 2:
        return None
    if is_empty(table, place):
        return OddColumn(place, ColumnKind.EMPTY, "is empty")
    if not is_text(table, place):
        return None
    text = next(cell for cell in table.cells(place) if cell)
    kind = ColumnKind.TIME if _TIME_TEXT.search(text) else ColumnKind.TEXT
    return OddColumn(place, kind, f"holds {kind.value} such as {shown(text)}")


def _odd_numbers(table: Table, place: int) -> OddColumn | None:
    cells, name = table.cells(place), table.name(place)
    if name in INDEX_NAMES:
        named = f"is named {shown(name)}" if name else "has no name in the header"
        return OddColumn(place, ColumnKind.INDEX, f"{named} and holds {_few(cells)}")
    if name in TIME_NAMES:
        return OddColumn(place, ColumnKind.TIME, f"is named {shown(name)} and holds {_few(cells)}")
    numbers = _finite(table.values(place))
    beside = _finite(table.values(place + 1))
    if len(numbers) < 2 or not _are_numbers(table, place):
        return None
    others_are_whole = _others_are_whole(table, place)
    if min(numbers) >= _FIRST_EPOCH and max(map(abs, beside), default=0.0) < _FIRST_EPOCH:
        return OddColumn(place, ColumnKind.TIME, f"holds times such as {cells[0]}")
    if _counts(numbers, others_are_whole) and not _counts(beside, others_are_whole):
        return OddColumn(place, ColumnKind.INDEX, f"counts {_few(cells)}")
    if len(numbers) >= _MANY_ROWS and _rises(numbers) and not _rises(beside):
        return OddColumn(place, ColumnKind.INDEX, f"rises from row to row, {_few(cells)}")
    if not holds_classes(table, place) and _are_numbers_of_rows(numbers, beside, others_are_whole):
        return OddColumn(place, ColumnKind.INDEX, f"holds whole numbers, {_few(cells)}")
    return None


def _are_numbers(table: Table, place: int) -> bool:
    """Returns whether nine of ten cells, or all but one of a few, are finite numbers."""
    others = len(table.rows) - len(_finite(table.values(place)))
    return others <= max(1, (1 - _ALMOST_ALL) * len(table.rows))


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


def _others_are_whole(table: Table, place: int) -> bool:
    return _share(value.is_integer() for value in _others(table, place)) > 0.5


def _others(table: Table, place: int) -> list[float]:
    """Returns the values of what may be samples if a column is none."""
    first = place + 1 if place < table.columns - 1 else 1
    return [value for row in table.numbers for value in _finite(row[first:-1])]


def _rises(numbers: Sequence[float]) -> bool:
    return all(before < after for before, after in itertools.pairwise(numbers))


def _finite(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _share(found: Iterable[bool]) -> float:
    values = list(found)
    return sum(values) / len(values) if values else 0.0


def _few(cells: Sequence[str]) -> str:
    return ", ".join(cells[:3]) + (", ..." if len(cells) > 3 else "")
