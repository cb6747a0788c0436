"""Whether a column of a file's first rows looks like classes among samples."""

from collections.abc import Sequence

from data.formats.columns import ALMOST_ALL, BINARY_LABELS, Column, share
from data.formats.labels import class_name, is_class

_MOST_CLASSES = 10
_MANY_ROWS = 10


def holds_classes(columns: Sequence[Column], place: int) -> bool:
    """Returns whether a column holds a few whole numbers, and not one alone, unlike the others."""
    values = set(columns[place].numbers)
    if not 2 <= len(values) <= _MOST_CLASSES or not columns[place].is_numeric:
        return False
    if not all(value.is_integer() for value in values):
        return False
    if values <= BINARY_LABELS:
        return _others_are_no_bits(columns, place)
    return len(columns[place].cells) >= _MANY_ROWS and not others_are_whole(columns, place)


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
    if wrong > max(1, int((1 - ALMOST_ALL) * rows)) or wrong == rows:
        return False
    if column.is_text or not others_are_whole(columns, place):
        return True
    numbers = set(column.numbers)
    others = share(value in numbers for value in _others(columns, place))
    few = rows >= _MANY_ROWS and len(classes) <= min(_MOST_CLASSES, rows // 2)
    return few and others <= 1 - ALMOST_ALL


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


def others_are_whole(columns: Sequence[Column], place: int) -> bool:
    """Returns whether most of what may be samples, if a column is none, are whole numbers."""
    return share(value.is_integer() for value in _others(columns, place)) > 0.5


def _others_are_no_bits(columns: Sequence[Column], place: int) -> bool:
    others = _others(columns, place)
    return share(value in BINARY_LABELS for value in others) <= 1 - ALMOST_ALL


def _others(columns: Sequence[Column], place: int) -> list[float]:
    """Returns the values of what may be samples if a column is none."""
    first = place + 1 if place < len(columns) - 1 else 1
    return [number for column in columns[first:-1] for number in column.numbers]
