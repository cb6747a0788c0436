"""What a column of a series looks like by its first cells: times, labels or numbers of rows."""

import re
from collections.abc import Sequence

from data.formats.columns import INDEX_NAMES, Column, as_number, is_progression
from data.formats.labels import class_name
from data.formats.odd_columns import FIRST_EPOCH

_MOST_CLASSES = 20

_ISO_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}(:?\d{2}(:?\d{2}([.,]\d+)?)?)?)?\s*(Z|[+-]\d.*)?"
)


def counts_rows(column: Column) -> bool:
    """Returns whether a column numbers the rows and is not named as a channel."""
    numbers = column.numbers
    is_named = column.name is None or column.name in INDEX_NAMES
    return is_named and len(numbers) == len(column.cells) and is_progression(numbers)


def holds_times(column: Column, *, distinct: bool = False) -> bool:
    """Returns whether all cells are ISO times, or all are numbers since 1970.

    Args:
        column: Empty cells do not count.
        distinct: Whether no two may be the same.
    """
    cells = [cell for cell in column.cells if cell]
    if not cells or (distinct and len(set(cells)) < len(cells)):
        return False
    if all(_ISO_TIME.fullmatch(cell) for cell in cells):
        return True
    return len(column.numbers) == len(cells) and min(column.numbers) >= FIRST_EPOCH


def are_labels(cells: Sequence[str]) -> bool:
    """Returns whether cells may be classes: few, and text or whole numbers."""
    names = {class_name(cell) for cell in cells}
    if len(names) > _MOST_CLASSES:
        return False
    return all(name.lstrip("-").isdecimal() or as_number(name) is None for name in names)
