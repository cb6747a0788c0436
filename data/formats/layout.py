"""Which column of a text file is the label, and how a message names columns.

`training_layout` and `scoring_layout` judge a file's columns with it: training needs what the
settings say, scoring takes rows with a label or without one.
"""

import re
from collections.abc import Collection, Sequence
from typing import Literal

from data.formats.class_columns import holds_classes, holds_one_class, may_be_classes
from data.formats.columns import LABEL_NAMES, Column, shown
from data.formats.odd_columns import OddColumn

_GUESSES = {"index": " (an index?)", "label": " (the label?)"}

_FEW_ROWS = 10
_DIGIT = re.compile(r"\d")

LabelPlace = OddColumn | Literal["last", "none", "either"]
"""Where the label is: in another column, in the last, nowhere, or in one of two."""


def find_label(
    columns: Sequence[Column],
    odd: Sequence[OddColumn],
    labels: Collection[float],
    *,
    is_required: bool,
    chosen: bool = False,
) -> LabelPlace:
    """Returns where the label is.

    Args:
        columns: The one that is said to be the label is the last, wherever it is in the file.
        odd: Those of them that are neither samples nor labels.
        labels: Numbers that a label is likely to be.
        is_required: Whether a label without two values is of no use.
        chosen: Whether a setting names the column, so that another one is no better.
    """
    first, last = ends(columns, odd)
    is_text = columns[last].is_text and (
        _has_repeated(columns[last]) or len(columns[last].cells) < _FEW_ROWS
    )
    in_last = (
        is_text or columns[last].holds_labels(labels, spared=1) or may_be_classes(columns, last)
    )
    if chosen and in_last and last == len(columns) - 1:
        return "last"
    if named := named_label(columns):
        if named.place != last:
            return named
        return "last" if in_last or not is_required or columns[last].is_empty else "none"
    if is_text:
        return "last"
    fronts = [place for place in (first, last - 1 if chosen else first) if place < last]
    in_front = next((place for place in fronts if _holds_labels(columns, place, labels)), None)
    if in_front is None and not in_last and is_required:
        places = dict.fromkeys([*fronts, *(each.place for each in odd)])
        text = [place for place in places if _holds_text_classes(columns[place])]
        if text:
            return OddColumn(text[0], "label", f"holds {columns[text[0]].distinct}")
        return "none"
    if in_front is None:
        return "last" if in_last else "none"
    in_front_column = OddColumn(in_front, "label", f"holds {columns[in_front].distinct}")
    likely = columns[last].holds_labels(labels, spared=1)
    if not in_last or not (likely or is_text or _has_repeated(columns[last])):
        return in_front_column
    varied = [len(set(columns[place].values)) > 1 for place in (in_front, last)]
    # Training needs two classes, so a constant column is not its label.
    if varied == [False, True] or (is_required and not varied[0]):
        return "last"
    # Padding, and the rim of an image, are as the column beside them.
    if varied == [True, False] or columns[last].values == columns[last - 1].values:
        return in_front_column
    whole = [all(cell.isdigit() for cell in columns[place].cells) for place in (in_front, last)]
    if whole[0] != whole[1]:
        return in_front_column if whole[0] else "last"
    return "either"


def find_classes(
    columns: Sequence[Column], odd: Sequence[OddColumn], *, chosen: bool
) -> LabelPlace:
    """Returns the column of labels among columns that are said to be samples alone.

    Args:
        columns: In the file's order.
        odd: Those of them that are neither samples nor labels.
        chosen: Whether somebody chose the columns, so that a name in a first line is no reason.
    """
    first, last = ends(columns, odd)
    if columns[0].name is None and last - first > 1:
        for place, beside in ((first, first + 1), (last, last - 1)):
            if holds_one_class(columns, place, beside):
                unnamed = "no name in a first line makes it a sample"
                return OddColumn(place, "label", f"holds {columns[place].distinct}, and {unnamed}")
    if chosen:
        return "none"
    if named := named_label(columns):
        return named
    for place in (first, last):
        if holds_classes(columns, place):
            return OddColumn(place, "label", f"holds {columns[place].distinct}")
    return "none"


def named_label(columns: Sequence[Column]) -> OddColumn | None:
    """Returns the one column whose name is that of a label."""
    found = [place for place, column in enumerate(columns) if column.name in LABEL_NAMES]
    if len(found) != 1:
        return None
    (place,) = found
    return OddColumn(place, "label", f"is named {shown(columns[place].name or '')}")


def describe(columns: Sequence[Column], odd: Sequence[OddColumn]) -> str:
    """Returns what was found in some columns, for a message."""
    return ", ".join(
        f"{name_of(columns, column.place)} {column.found}{_GUESSES.get(column.kind, '')}"
        for column in odd
    )


def describe_either(columns: Sequence[Column], odd: Sequence[OddColumn]) -> str:
    """Returns a sentence on two columns of which either may be the label."""
    first, last = ends(columns, odd)
    return (
        f"{name_of(columns, first)} holds {columns[first].distinct} and {name_of(columns, last)} "
        f"{columns[last].distinct}: either may be the label"
    )


def name_of(columns: Sequence[Column], place: int) -> str:
    """Returns a column's name in a message: its place in the file, from 1."""
    position = columns[place].position
    if position == 0:
        return "the first column"
    if position == max(column.position for column in columns):
        return f"the last column ({position + 1})"
    return f"column {position + 1}"


def ends(columns: Sequence[Column], odd: Sequence[OddColumn]) -> tuple[int, int]:
    """Returns the first and the last column that are not odd."""
    places = {column.place for column in odd}
    rest = [place for place in range(len(columns)) if place not in places]
    return (rest[0], rest[-1]) if rest else (0, len(columns) - 1)


def _holds_labels(columns: Sequence[Column], place: int, labels: Collection[float]) -> bool:
    column = columns[place]
    return (column.holds_labels(labels) or holds_classes(columns, place)) and (
        column.values != columns[min(place + 1, len(columns) - 1)].values
    )


def _holds_text_classes(column: Column) -> bool:
    text = {cell for cell, value in zip(column.cells, column.values, strict=True) if value is None}
    # What has digits among letters numbers patients or recordings.
    are_words = bool(text) and not any(map(_DIGIT.search, text))
    return are_words and 2 <= len(set(column.cells)) <= min(10, len(column.cells) // 2)


def _has_repeated(column: Column) -> bool:
    return len(set(column.cells)) < len(column.cells)
