"""Rows of a text file: in each an example's values, and a label or none.

A block is parsed as a whole, and by the row only if something in it is wrong.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Sequence

import numpy as np
import numpy.typing as npt

from data.formats.columns import as_number, shown
from data.formats.content import LineBlock, line_text
from data.formats.labels import LabelRule, class_name, is_class
from data.formats.rows import Block, Rejected, Rows, no_labels
from data.formats.separators import COMMA, Separator, has_decimal_comma, other_separator

_FLOAT32_LIMIT = 2.0**128 - 2.0**103
"""The smallest number that float32 rounds to infinity."""


@dataclasses.dataclass(frozen=True)
class CsvLayout:
    """What the columns of a file are.

    Attributes:
        shape: Shape of one example.
        separator: What is between the cells.
        label: Place of the label's column, from 0; None if there is none.
        labels: Numbers that a label may be; None for any whole number. Text always may.
        rule: Which classes are normal; None if labels are passed over.
        header_row: Number of the last line above the rows: the one that names the columns, or
            `@data`; 0 for none.
        header: That line, which is no row if it comes again.
        dropped: Columns that are left out, from 0, ascending.
        channels: Channels in the file, if they are not those of `shape`.
        picked: Those of them that are kept, from 0, in this order; all if empty.
        dimensions: Of a .ts file, whose channels come one after the other; 0 for other files,
            in which all channels of a sample come before the next sample.
        comment: What a line begins with that is no row.
    """

    shape: tuple[int, ...]
    separator: Separator = COMMA
    label: int | None = None
    labels: frozenset[float] | None = None
    rule: LabelRule | None = None
    header_row: int = 0
    header: bytes = b""
    dropped: tuple[int, ...] = ()
    channels: int = 0
    picked: tuple[int, ...] = ()
    dimensions: int = 0
    comment: bytes = b""

    @functools.cached_property
    def length(self) -> int:
        """Values of one example in a row, of all the channels that are in the file."""
        return self.shape[0] * self.channels if self.channels else math.prod(self.shape)

    @functools.cached_property
    def columns(self) -> int:
        """Cells a row."""
        return self.length + (self.label is not None) + len(self.dropped)

    @functools.cached_property
    def places(self) -> list[int]:
        """Columns of the values, from 0."""
        return [
            place
            for place in range(self.columns)
            if place != self.label and place not in self.dropped
        ]

    def examples(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Returns float32 [n, *shape] of float64 [n, length] as they are in the file."""
        # float64 first, and rounded to float32 from there, as the tutorial's pandas does.
        found = values.astype(np.float32)
        if not self.channels and self.dimensions < 2:
            return found.reshape(-1, *self.shape)
        channels = self.channels or self.shape[1]
        if self.dimensions:
            found = found.reshape(-1, channels, self.shape[0]).transpose(0, 2, 1)
        found = found.reshape(-1, self.shape[0], channels)
        found = found[:, :, list(self.picked)] if self.picked else found
        return np.ascontiguousarray(found).reshape(-1, *self.shape)

    def text(self, line: bytes) -> str:
        """Returns a line as text whose cells are between separators.

        Raises:
            ValueError: It is no text, or a .ts file's row does not have the file's dimensions.
        """
        text = line_text(line)
        if not self.dimensions:
            return text
        return _without_colons(text, self.dimensions, has_class=self.columns > self.length)


def _without_colons(line: str, dimensions: int, *, has_class: bool) -> str:
    """Returns a row of a .ts file with commas only.

    Raises:
        ValueError: Its dimensions are not as many, or not all of one length.
    """
    parts = line.split(":")
    if len(parts) != dimensions + has_class:
        expected = f"{dimensions} dimension{'s' if dimensions > 1 else ''}"
        raise ValueError(
            f"{len(parts)} parts between colons, expected {expected}"
            f"{' and a class' if has_class else ''}: correct the row or take it out"
        )
    lengths = sorted({part.count(",") + 1 for part in parts[:dimensions]})
    if len(lengths) > 1:
        raise ValueError(
            f"dimensions of {lengths[0]} and of {lengths[-1]} values: all of a row have the same "
            "number: correct the row or take it out"
        )
    return ",".join(parts)


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
            [layout.text(line) for line in lines],
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
    classes = np.array(labels.names, np.str_)[found.astype(np.int64)]
    return Rows(lines, examples, layout.rule.labels_of(classes), classes)
