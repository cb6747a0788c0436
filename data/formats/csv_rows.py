"""Rows of a CSV: in each an example's values, and behind them a label or none.

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
from data.formats.labels import class_names
from data.formats.rows import Block, Rejected, Rows, no_labels
from data.formats.table import cells_of

_FLOAT32_LIMIT = 2.0**128 - 2.0**103
"""The smallest number that float32 rounds to infinity."""


@dataclasses.dataclass(frozen=True)
class CsvLayout:
    """What the columns of a file are.

    Attributes:
        shape: Shape of one example.
        labels: Numbers that the label behind the values may be; None if there is no label.
        reads_labels: Whether a label's value is needed; if not, text is a label too.
        header_row: Number of the line that names the columns; 0 for none.
        dropped: Columns that are left out, from 0, ascending.
    """

    shape: tuple[int, ...]
    labels: frozenset[float] | None = None
    reads_labels: bool = False
    header_row: int = 0
    dropped: tuple[int, ...] = ()

    @functools.cached_property
    def length(self) -> int:
        """Values of one example."""
        return math.prod(self.shape)

    @functools.cached_property
    def columns(self) -> int:
        """Cells a row."""
        return self.length + (self.labels is not None) + len(self.dropped)

    @functools.cached_property
    def parsers(self) -> dict[int, Callable[[str], float]]:
        """Parser of each column that is not dropped, from 0; a ValueError's text is for users."""
        kept = [place for place in range(self.columns) if place not in self.dropped]
        return {
            place: _parse_value if index < self.length else self._parse_label
            for index, place in enumerate(kept)
        }

    def _parse_label(self, cell: str) -> float:
        value, labels = as_number(cell), self.labels or ()
        if value is not None and value in labels:
            return value
        # Text is a label of the user's own; a number that is none may be a sample.
        if value is None and cell.strip() and not self.reads_labels:
            return math.nan
        named = ", ".join(f"{label:g}" for label in sorted(labels))
        wanted = "1 (normal) or 0 (abnormal)" if self.reads_labels else f"{named} or text"
        raise ValueError(f"the label is {shown(cell)}: it must be {wanted}")


def parse_block(block: LineBlock, layout: CsvLayout, path: str) -> Block:
    """Returns the examples and the rejected rows of some lines; blank lines are neither."""
    lines = {number: line for number, line in block.lines() if number > layout.header_row}
    whole = _parse_whole(lines.values(), layout)
    if whole is not None:
        return Block(path, _as_rows(list(lines), whole, layout))
    values: dict[int, list[float]] = {}
    rejected = []
    for number, line in lines.items():
        try:
            values[number] = _parse_row(line, layout)
        except ValueError as error:
            text = line.decode(errors="backslashreplace")
            rejected.append(Rejected(number, str(error), text))
    array = np.array(list(values.values())).reshape(-1, len(layout.parsers))
    return Block(path, _as_rows(list(values), array, layout), tuple(rejected))


def values_as_text(values: npt.NDArray[np.float32]) -> str:
    """Returns an example's values as a CSV line that reads back to the same float32 values."""
    return ",".join(str(value) for value in values.ravel())


def _parse_whole(lines: Collection[bytes], layout: CsvLayout) -> npt.NDArray[np.float64] | None:
    """Returns the columns that are not dropped, or None if one of the rows may be wrong."""
    if not lines:
        return np.empty((0, len(layout.parsers)))
    converters: dict[int | str, Callable[[str], float]] = {
        place: lambda _: math.nan for place in layout.dropped
    }
    if layout.labels is not None:
        label, parse = list(layout.parsers.items())[-1]
        converters[label] = parse
    try:
        values = np.loadtxt(
            [line_text(line) for line in lines],
            delimiter=",",
            quotechar='"',
            comments=None,
            converters=converters,
            ndmin=2,
        )
    except ValueError:
        return None
    if values.shape != (len(lines), layout.columns):
        return None
    kept = values[:, list(layout.parsers)] if layout.dropped else values
    return kept if (np.abs(kept[:, : layout.length]) < _FLOAT32_LIMIT).all() else None


def _parse_row(line: bytes, layout: CsvLayout) -> list[float]:
    """Returns the columns that are not dropped.

    Raises:
        ValueError: What is wrong with the row, in one sentence for the user.
    """
    cells = cells_of(line_text(line))
    if len(cells) != layout.columns:
        raise ValueError(_count_fault(len(cells), layout))
    values = []
    for place, parse in layout.parsers.items():
        try:
            values.append(parse(cells[place]))
        except ValueError as error:
            raise ValueError(f"column {place + 1}: {error}") from None
    return values


def _parse_value(cell: str) -> float:
    value = as_number(cell)
    if value is not None and abs(value) < _FLOAT32_LIMIT:
        return value
    if not cell.strip():
        raise ValueError("the cell is empty: fill it in or take the row out")
    if value is None:
        raise ValueError(f"{shown(cell)} is not a number: correct it or take the row out")
    if math.isnan(value):
        raise ValueError(f"{shown(cell)} is a missing value: fill it in or take the row out")
    raise ValueError(f"{shown(cell)} is not a finite float32: correct it or take the row out")


def _count_fault(count: int, layout: CsvLayout) -> str:
    parts = [f"{layout.length} {'samples' if len(layout.shape) == 1 else 'pixels'}"]
    if layout.labels is not None:
        parts.append("a label")
    if layout.dropped:
        parts.append(f"{len(layout.dropped)} dropped")
    return (
        f"{count} {'value' if count == 1 else 'values'}, expected {layout.columns} "
        f"({' and '.join(parts)}): "
        f"{'complete' if count < layout.columns else 'shorten'} the row or take it out"
    )


def _as_rows(numbers: Sequence[int], values: npt.NDArray[np.float64], layout: CsvLayout) -> Rows:
    # float64 first, and rounded to float32 from there, as the tutorial's pandas does.
    samples = values[:, : layout.length].astype(np.float32).reshape(-1, *layout.shape)
    lines = np.array(numbers, np.int64)
    if not layout.reads_labels:
        return Rows(lines, samples, no_labels(len(values)))
    return Rows(lines, samples, values[:, -1].astype(np.int64), class_names(values[:, -1]))
