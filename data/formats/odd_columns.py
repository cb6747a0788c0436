"""Columns of a file's first rows that look like neither samples nor labels."""

import collections
import dataclasses
import itertools
import math
import re
from collections.abc import Sequence
from typing import Literal

from data.formats.class_columns import holds_classes, others_are_whole
from data.formats.columns import (
    BINARY_LABELS,
    INDEX_NAMES,
    TIME_NAMES,
    Column,
    is_progression,
    shown,
)

_MOST_CLASSES = 10
_MANY_ROWS = 10
_MOST_NAMED = 5
_REPETITIONS = -math.log(0.001)
"""Equal pairs expected; by Poisson's law none is then seen once in a thousand times."""
FIRST_EPOCH = 1e8
"""Seconds since 1970 in March 1973; today's counts of finer units are larger."""

TIME_TEXT = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d{2}")


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


def _text_or_empty(columns: Sequence[Column], place: int) -> OddColumn | None:
    column = columns[place]
    if len(column.cells) < 2:
        return None
    if column.is_empty:
        return OddColumn(place, "empty", "is empty")
    if not column.is_text:
        return None
    text = next(cell for cell in column.cells if cell)
    kind: Literal["times", "text"] = "times" if TIME_TEXT.search(text) else "text"
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
    if min(numbers) >= FIRST_EPOCH and max(map(abs, beside), default=0.0) < FIRST_EPOCH:
        return OddColumn(place, "times", f"holds times such as {column.cells[0]}")
    others_whole = others_are_whole(columns, place)
    if _counts(numbers, others_whole) and not _counts(beside, others_whole):
        return OddColumn(place, "index", f"counts {first_cells}")
    if len(numbers) >= _MANY_ROWS and _rises(numbers) and not _rises(beside):
        return OddColumn(place, "index", f"rises from row to row, {first_cells}")
    are_numbers_of_rows = (
        _never_repeats_unlike_the_others(columns, place)
        if others_whole
        else _are_numbers_of_rows(numbers)
    )
    if are_numbers_of_rows and not holds_classes(columns, place):
        return OddColumn(place, "index", f"holds whole numbers, {first_cells}")
    return None


def _counts(numbers: Sequence[float], others_whole: bool) -> bool:
    if not is_progression(numbers):
        return False
    whole = all(number.is_integer() for number in numbers)
    if len(numbers) >= _MANY_ROWS // 2 or not whole:
        return len(numbers) > 2
    # A few whole samples may well be 3, 5, 7, or 3, 4.
    from_start = not others_whole and numbers[0] in BINARY_LABELS
    return numbers[1] - numbers[0] == 1 and (len(numbers) > 2 or from_start)


def _are_numbers_of_rows(numbers: Sequence[float]) -> bool:
    """Shuffled or picked rows keep their numbers."""
    if not _could_be_numbers_of_rows(numbers):
        return False
    distinct = len(set(numbers))
    return distinct > _MOST_CLASSES or (distinct == len(numbers) and distinct > 2)


def _never_repeats_unlike_the_others(columns: Sequence[Column], place: int) -> bool:
    """Whether whole numbers are numbers of rows although the samples are whole, too.

    Samples of a wide range seldom repeat either. The column has to be distinct although as many
    equal pairs as the other columns have would leave less than one chance in a thousand for it.
    """
    numbers = columns[place].numbers
    if not _could_be_numbers_of_rows(numbers) or len(set(numbers)) < len(numbers):
        return False
    # The last may be a label, whose repetitions say nothing about samples.
    others = [other.numbers for other in columns[place + 1 : -1]]
    expected = sum(map(_equal_pairs, others)) / max(len(others), 1)
    return expected > _REPETITIONS


def _could_be_numbers_of_rows(numbers: Sequence[float]) -> bool:
    return min(numbers) >= 0 and all(number.is_integer() for number in numbers)


def _equal_pairs(numbers: Sequence[float]) -> int:
    return sum(math.comb(count, 2) for count in collections.Counter(numbers).values())


def _rises(numbers: Sequence[float]) -> bool:
    return all(before < after for before, after in itertools.pairwise(numbers))
