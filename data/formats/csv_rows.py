"""Rows of a text file: in each an example's values, and a label or none.

A block is parsed as a whole, and by the row only if something in it is wrong.
"""

import math
from collections.abc import Callable, Collection, Sequence

import numpy as np
import numpy.typing as npt

from data.formats.columns import as_number, shown
from data.formats.content import LineBlock, line_text
from data.formats.csv_layout import CsvLayout
from data.formats.labels import class_name, is_class
from data.formats.rows import Block, Rejected, Rows, no_labels
from data.formats.separators import has_decimal_comma, other_separator

_FLOAT32_LIMIT = 2.0**128 - 2.0**103
"""The smallest number that float32 rounds to infinity."""


class _Labels:
    """Parses labels to the places of their classes' names.

    Attributes:
        names: Of the classes found so far.
    """

    def __init__(self, layout: CsvLayout) -> None:
        self._layout = layout
        self._places: dict[str, float] = {}
        self.names: list[str] = []

    def __call__(self, cell: str) -> float:
        """Returns the place of a cell's class in `names`.

        Raises:
            ValueError: It is no label; the message is for the user.
        """
        place = self._places.get(cell)
        if place is None:
            name = self._class(cell)
            if name not in self.names:
                self.names.append(name)
            place = self._places[cell] = float(self.names.index(name))
        return place

    def _class(self, cell: str) -> str:
        allowed = self._layout.labels
        if allowed is None:
            if is_class(cell):
                return class_name(cell)
            raise ValueError(f"the label is {shown(cell)}: it must be a whole number or text")
        value = as_number(cell)
        # Text is a label of the user's own; a number that is none may be a sample.
        if value in allowed or (value is None and cell.strip()):
            return class_name(cell)
        named = ", ".join(f"{label:g}" for label in sorted(allowed))
        raise ValueError(f"the label is {shown(cell)}: it must be {named} or text")


def parse_block(block: LineBlock, layout: CsvLayout, path: str) -> Block:
    """Returns the examples and the rejected rows of some lines; blank lines are neither."""
    lines = {number: line for number, line in block.lines() if number > layout.header_row}
    if layout.comment:
        lines = {
            n: line for n, line in lines.items() if not line.lstrip().startswith(layout.comment)
        }
    labels = _Labels(layout)
    whole = _parse_whole(lines.values(), layout, labels)
    if whole is not None:
        return Block(path, _as_rows(list(lines), *whole, layout, labels))
    values: dict[int, tuple[list[float], float]] = {}
    rejected = []
    for number, line in lines.items():
        try:
            values[number] = _parse_row(line, layout, labels)
        except ValueError as error:
            text = line.decode(errors="backslashreplace")
            rejected.append(Rejected(number, str(error), text))
    array = np.array([row for row, _ in values.values()]).reshape(-1, layout.length)
    found = np.array([label for _, label in values.values()])
    return Block(path, _as_rows(list(values), array, found, layout, labels), tuple(rejected))


def values_as_text(values: npt.NDArray[np.float32]) -> str:
    """Returns an example's values as a CSV line that reads back to the same float32 values."""
    return ",".join(str(value) for value in values.ravel())


_Array = npt.NDArray[np.float64]


def _parse_whole(
    lines: Collection[bytes], layout: CsvLayout, labels: _Labels
) -> tuple[_Array, _Array] | None:
    """Returns values [n, length] and places of labels [n], or None if a row may be wrong."""
    if not lines:
        return np.empty((0, layout.length)), np.empty(0)
    if layout.header and layout.header in lines:
        return None
    converters: dict[int | str, Callable[[str], float]] = {
        place: lambda _: math.nan for place in layout.dropped
    }
    if layout.label is not None:
        converters[layout.label] = labels
    try:
        found = np.loadtxt(
            [*map(layout.text if layout.dimensions else line_text, lines)],
            delimiter=layout.separator.character,
            quotechar=layout.separator.quote,
            comments=None,
            converters=converters,
            ndmin=2,
        )
    except ValueError:
        return None
    if found.shape != (len(lines), layout.columns):
        return None
    first, last = layout.places[0], layout.places[-1]
    in_a_row = last - first + 1 == layout.length
    values = found[:, first : last + 1] if in_a_row else found[:, layout.places]
    if not (np.abs(values) < _FLOAT32_LIMIT).all():
        return None
    return values, np.empty(0) if layout.label is None else found[:, layout.label]


def _parse_row(line: bytes, layout: CsvLayout, labels: _Labels) -> tuple[list[float], float]:
    """Returns a row's values and its label's place, 0 without one.

    Raises:
        ValueError: What is wrong with the row, in one sentence for the user.
    """
    text = layout.text(line)
    cells = layout.separator.cells(text)
    if not cells or line == layout.header or _are_names(cells):
        raise ValueError(_line_fault(text, cells, layout))
    if len(cells) != layout.columns:
        raise ValueError(_count_fault(text, len(cells), layout))
    values: list[float] = []
    found = 0.0
    for place, cell in enumerate(cells):
        try:
            if place == layout.label:
                found = labels(cell)
            elif place not in layout.dropped:
                values.append(_parse_value(cell))
        except ValueError as error:
            raise ValueError(f"column {place + 1}: {error}") from None
    return values, found


def _are_names(cells: Sequence[str]) -> bool:
    return len(cells) > 2 and all(cell.strip() and as_number(cell) is None for cell in cells)


def _parse_value(cell: str) -> float:
    value = as_number(cell)
    if value is not None and abs(value) < _FLOAT32_LIMIT:
        return value
    if not cell.strip():
        raise ValueError("the cell is empty: fill it in or take the row out")
    if value is None and has_decimal_comma(cell):
        raise ValueError(f"{shown(cell)} has a decimal comma: write it with a decimal point")
    if value is None and cell.strip() != "?":
        raise ValueError(f"{shown(cell)} is not a number: correct it or take the row out")
    if value is None or math.isnan(value):
        raise ValueError(f"{shown(cell)} is a missing value: fill it in or take the row out")
    raise ValueError(f"{shown(cell)} is not a finite float32: correct it or take the row out")


def _line_fault(text: str, cells: Sequence[str], layout: CsvLayout) -> str:
    if not cells:
        return f"a quote ({layout.separator.quote}) is not closed in its line: close it"
    return (
        f"the line names columns ({', '.join(cells[:3])}, ...), as the first line of a file does: "
        "take it out"
    )


def _count_fault(text: str, count: int, layout: CsvLayout) -> str:
    if other := other_separator(text, layout.columns, layout.separator):
        return (
            f"cells are separated by {other.words}, those of other rows by "
            f"{layout.separator.words}: write the same between all"
        )
    parts = [f"{layout.length} {'pixels' if layout.labels else 'samples'}"]
    if layout.label is not None:
        parts.append("a label")
    if layout.dropped:
        parts.append(f"{len(layout.dropped)} dropped")
    return (
        f"{count} {'value' if count == 1 else 'values'}, expected {layout.columns} "
        f"({' and '.join(parts)}): "
        f"{'complete' if count < layout.columns else 'shorten'} the row or take it out"
    )


def _as_rows(
    numbers: Sequence[int], values: _Array, found: _Array, layout: CsvLayout, labels: _Labels
) -> Rows:
    lines, examples = np.array(numbers, np.int64), layout.examples(values)
    if layout.rule is None:
        return Rows(lines, examples, no_labels(len(lines)))
    if layout.label is None or not len(lines):
        return Rows(lines, examples, no_labels(len(lines)), np.full(len(lines), "", np.str_))
    names, places = np.array(labels.names, np.str_), found.astype(np.int64)
    return Rows(lines, examples, layout.rule.labels_of(names)[places], names[places])
