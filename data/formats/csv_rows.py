"""Rows of a CSV: in each an example's values, and behind them a label or none.

A block is parsed as a whole, and by the row only if something in it is wrong.
"""

import dataclasses
import functools
import io
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.formats.line_blocks import LineBlock, decode_lines, line_fault
from data.formats.rows import Block, Rejected, Rows, no_labels
from data.formats.table import as_number, cells_of, shown

_USUAL_LABELS = frozenset({"0", "1", "0.0", "1.0"})


class Label(NamedTuple):
    """What the last column may hold.

    Attributes:
        values: Numbers that a label may be.
        is_read: Whether its value is needed; if not, text is a label too.
    """

    values: frozenset[float]
    is_read: bool

    def fault(self, cell: str) -> str | None:
        """Returns what is wrong with a cell, or None if it is a label."""
        value = as_number(cell)
        # Text is a label of the user's own; a number that is none may be a sample.
        if value in self.values or (value is None and cell.strip() and not self.is_read):
            return None
        named = ", ".join(f"{value:g}" for value in sorted(self.values))
        wanted = "1 (normal) or 0 (abnormal)" if self.is_read else f"{named} or text"
        return f"the label is {shown(cell)}: it must be {wanted}"


@dataclasses.dataclass(frozen=True)
class CsvLayout:
    """What the columns of a file are.

    Attributes:
        shape: Shape of one example.
        label: What follows the values; None for nothing.
        header_row: Number of the line that names the columns; 0 for none.
        dropped: Columns that are left out, from 0, ascending.
    """

    shape: tuple[int, ...]
    label: Label | None = None
    header_row: int = 0
    dropped: tuple[int, ...] = ()

    @functools.cached_property
    def length(self) -> int:
        """Values of one example."""
        return math.prod(self.shape)

    @functools.cached_property
    def columns(self) -> int:
        """Cells a row."""
        return self.length + (self.label is not None) + len(self.dropped)

    @property
    def reads_label(self) -> bool:
        """Whether rows come with their labels."""
        return self.label is not None and self.label.is_read

    @functools.cached_property
    def kept(self) -> list[int]:
        """Columns that are not dropped, from 0."""
        return [place for place in range(self.columns) if place not in self.dropped]


def parse_block(block: LineBlock, layout: CsvLayout, path: str) -> Block:
    """Returns the examples and the rejected rows of some lines; blank lines are neither."""
    block = _below_header(block, layout)
    rows = _parse_whole(block, layout)
    return Block(path, rows) if rows is not None else _parse_by_row(block, layout, path)


def values_as_text(values: npt.NDArray[np.float32]) -> str:
    """Returns an example's values as a CSV line that reads back to the same float32 values."""
    return ",".join(str(value) for value in values.ravel())


def _below_header(block: LineBlock, layout: CsvLayout) -> LineBlock:
    above = layout.header_row + 1 - block.first_line
    if above < 1:
        return block
    return LineBlock(layout.header_row + 1, b"".join(block.data.split(b"\n", above)[above:]))


def _parse_whole(block: LineBlock, layout: CsvLayout) -> Rows | None:
    """Returns a block's rows, or None if one of them may be wrong."""
    text = decode_lines(block.data)
    if text is None:
        return None
    numbers = [
        number for number, line in enumerate(text.split("\n"), start=block.first_line) if line
    ]
    if not numbers:
        return _as_rows([], np.empty((0, len(layout.kept))), layout)
    try:
        values = np.loadtxt(io.StringIO(text), delimiter=",", quotechar='"', comments=None, ndmin=2)
    except ValueError:
        return None
    if values.shape != (len(numbers), layout.columns):
        return None
    kept = values[:, layout.kept] if layout.dropped else values
    if layout.label and not np.isin(kept[:, -1], list(layout.label.values)).all():
        return None
    rows = _as_rows(numbers, kept, layout)
    return rows if np.isfinite(rows.values).all() else None


def _parse_by_row(block: LineBlock, layout: CsvLayout, path: str) -> Block:
    numbers: list[int] = []
    lines: list[bytes] = []
    values: list[list[float]] = []
    rejected: list[Rejected] = []
    for number, ended in enumerate(block.data.split(b"\n"), start=block.first_line):
        line = ended.removesuffix(b"\r")
        if not line:
            continue
        row = _parse_row(line, layout)
        if row is None:
            rejected.append(_rejected(number, line, layout))
        else:
            numbers.append(number)
            lines.append(line)
            values.append(row)
    array = np.array(values, np.float64).reshape(-1, layout.length + layout.reads_label)
    rows = _as_rows(numbers, array, layout)
    finite = np.asarray(np.isfinite(rows.values.reshape(-1, layout.length)).all(axis=1))
    rejected += [_rejected(numbers[bad], lines[bad], layout) for bad in np.flatnonzero(~finite)]
    return Block(path, rows[finite], tuple(sorted(rejected)))


def _as_rows(numbers: list[int], values: npt.NDArray[np.float64], layout: CsvLayout) -> Rows:
    """Returns rows of float64 values, and a label behind them if the layout reads it."""
    # float64 first, and rounded to float32 from there, as the tutorial's pandas does.
    with np.errstate(over="ignore"):
        samples = values[:, : layout.length].astype(np.float32).reshape(-1, *layout.shape)
    labels = values[:, -1].astype(np.int64) if layout.reads_label else no_labels(len(values))
    return Rows(np.array(numbers, np.int64), samples, labels)


def _parse_row(line: bytes, layout: CsvLayout) -> list[float] | None:
    """Returns a row's values, and its label if that is read; None if the row is wrong."""
    if b"\0" in line or b"\r" in line:
        return None
    try:
        cells = cells_of(line.decode())
        if len(cells) != layout.columns:
            return None
        if layout.dropped:
            cells = [cells[place] for place in layout.kept]
        if layout.label:
            if cells[-1] not in _USUAL_LABELS and layout.label.fault(cells[-1]):
                return None
            if not layout.label.is_read:
                cells.pop()
        # Python's float() takes underscores between digits.
        if b"_" in line and any("_" in cell for cell in cells):
            return None
        return [*map(float, cells)]
    except ValueError:
        return None


def _rejected(number: int, line: bytes, layout: CsvLayout) -> Rejected:
    return Rejected(number, _row_fault(line, layout), line.decode(errors="backslashreplace"))


def _row_fault(line: bytes, layout: CsvLayout) -> str:
    if fault := line_fault(line):
        return fault
    cells = cells_of(line.decode())
    if len(cells) != layout.columns:
        return _count_fault(len(cells), layout)
    label = layout.kept[-1] if layout.label else None
    faults = (
        f"column {place + 1}: {fault}"
        for place in layout.kept
        if (
            fault := layout.label.fault(cells[place])
            if layout.label and place == label
            else _cell_fault(cells[place])
        )
    )
    return next(faults)


def _count_fault(count: int, layout: CsvLayout) -> str:
    parts = [f"{layout.length} {'samples' if len(layout.shape) == 1 else 'pixels'}"]
    if layout.label:
        parts.append("a label")
    if layout.dropped:
        parts.append(f"{len(layout.dropped)} dropped")
    return (
        f"{count} {'value' if count == 1 else 'values'}, expected {layout.columns} "
        f"({' and '.join(parts)}): "
        f"{'complete' if count < layout.columns else 'shorten'} the row or take it out"
    )


def _cell_fault(cell: str) -> str | None:
    """Returns what is wrong with a value's text, or None if it is a finite float32."""
    if not cell.strip():
        return "the cell is empty: fill it in or take the row out"
    value = as_number(cell)
    if value is None:
        return f"{shown(cell)} is not a number: correct it or take the row out"
    if math.isnan(value):
        return f"{shown(cell)} is a missing value: fill it in or take the row out"
    with np.errstate(over="ignore"):
        finite = bool(np.isfinite(np.float32(value)))
    return (
        None if finite else f"{shown(cell)} is not a finite float32: correct it or take the row out"
    )
