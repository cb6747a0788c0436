"""Rows of a CSV, each judged by itself, so that a wrong one does not stop the others."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from data.formats.columns import BINARY_LABELS
from data.formats.layout import has_label
from data.formats.row_faults import as_number, cell_fault, shown
from data.formats.table import cells_of, read_start
from data.formats.text_blocks import LineBlock
from pipeline.predict.rows import Rejected, Rows

T = TypeVar("T")

IMAGE_LABELS = frozenset(map(float, range(10)))
"""Values of an image's label: ten classes."""

_USUAL_LABELS = frozenset({"0", "1", "0.0", "1.0"})


@dataclasses.dataclass(frozen=True)
class CsvLayout:
    """What the columns of a file are.

    Attributes:
        shape: Shape of one example.
        labelled: Whether a label, which is not read, follows the values.
        header_row: Number of the line that names the columns; 0 for none.
        labels: What a label may be, if it is a number.
        dropped: Columns that are left out, from 0, ascending.
    """

    shape: tuple[int, ...]
    labelled: bool
    header_row: int
    labels: frozenset[float] = BINARY_LABELS
    dropped: tuple[int, ...] = ()

    @functools.cached_property
    def length(self) -> int:
        """Values of one example."""
        return math.prod(self.shape)

    @functools.cached_property
    def columns(self) -> int:
        """Cells a row."""
        return self.length + self.labelled + len(self.dropped)

    def kept(self, row: Sequence[T]) -> list[T]:
        """Returns what is not in a dropped column."""
        return [row[place] for place in self._kept]

    @functools.cached_property
    def _kept(self) -> list[int]:
        return [place for place in range(self.columns) if place not in self.dropped]


class ParsedBlock(NamedTuple):
    """What a block of lines held."""

    rows: Rows
    rejected: list[Rejected]


def find_layout(
    block: LineBlock, shape: tuple[int, ...], path: str, drop_columns: Sequence[int] = ()
) -> CsvLayout:
    """Returns the layout that most rows of a file's first block have.

    Raises:
        UserInputError: The columns are not values of one example with or without a label behind
            them; see `has_label`.
    """
    start = read_start(block.data.decode(errors="replace").split("\n"), path)
    length = math.prod(shape)
    labels = BINARY_LABELS if len(shape) == 1 else IMAGE_LABELS
    labelled = has_label(start, length, labels, drop_columns, path)
    header_row = 0 if start.header is None else block.first_line + start.header
    return CsvLayout(shape, labelled, header_row, labels, tuple(sorted(set(drop_columns))))


def parse_block(block: LineBlock, layout: CsvLayout) -> ParsedBlock:
    """Returns the good rows and the rejected ones; blank lines are neither."""
    numbers: list[int] = []
    lines: list[bytes] = []
    values: list[list[float]] = []
    rejected: list[Rejected] = []
    for number, ended in enumerate(block.data.split(b"\n"), start=block.first_line):
        line = ended.removesuffix(b"\r")
        if not line or number == layout.header_row:
            continue
        samples = _samples(line, layout)
        if samples is None:
            rejected.append(_rejected(number, line, layout))
        else:
            numbers.append(number)
            lines.append(line)
            values.append(samples)
    # float64 first, and rounded to float32 from there, as in training.
    with np.errstate(over="ignore"):
        array = np.array(values, np.float64).astype(np.float32).reshape(-1, layout.length)
    finite = np.asarray(np.isfinite(array).all(axis=1))
    rejected += [_rejected(numbers[bad], lines[bad], layout) for bad in np.flatnonzero(~finite)]
    rows = Rows(np.array(numbers, np.int64), array.reshape(-1, *layout.shape))
    return ParsedBlock(rows[finite], sorted(rejected))


def values_as_text(values: npt.NDArray[np.float32]) -> str:
    """Returns an example's values as a CSV line that reads back to the same float32 values."""
    return ",".join(str(value) for value in values.ravel())


def _samples(line: bytes, layout: CsvLayout) -> list[float] | None:
    try:
        cells = cells_of(line.decode())
        if len(cells) != layout.columns:
            return None
        if layout.dropped:
            cells = layout.kept(cells)
        if layout.labelled and cells[-1] not in _USUAL_LABELS and _label_fault(cells[-1], layout):
            return None
        samples = cells[: layout.length]
        # Python's float() takes underscores between digits.
        if b"_" in line and any("_" in cell for cell in samples):
            return None
        return [*map(float, samples)]
    except ValueError:
        return None


def _label_fault(cell: str, layout: CsvLayout) -> str | None:
    """Text is a label of the user's own; a number that is none may be a sample."""
    value = as_number(cell)
    if value in layout.labels or (value is None and cell.strip()):
        return None
    named = ", ".join(f"{label:g}" for label in sorted(layout.labels))
    return f"the label is {shown(cell)}: it must be {named} or text"


def _rejected(number: int, line: bytes, layout: CsvLayout) -> Rejected:
    return Rejected(number, _fault(line, layout), line.decode(errors="backslashreplace"))


def _fault(line: bytes, layout: CsvLayout) -> str:
    if b"\r" in line:
        return "lines end with CR alone: save the file with LF or CRLF line ends"
    try:
        cells = cells_of(line.decode())
    except UnicodeDecodeError:
        return "not UTF-8 text: save the file as CSV (UTF-8)"
    if len(cells) != layout.columns:
        noun = "value" if len(cells) == 1 else "values"
        label = f" ({layout.length} and a label)" if layout.labelled else ""
        dropped = f" and {len(layout.dropped)} dropped" if layout.dropped else ""
        return f"{len(cells)} {noun}, expected {layout.columns}{label}{dropped}"
    places = layout.kept(range(layout.columns))
    faults = (
        f"column {place + 1}: {fault}"
        for place, cell in zip(places, layout.kept(cells), strict=True)
        if (
            fault := _label_fault(cell, layout)
            if layout.labelled and place == places[-1]
            else cell_fault(cell)
        )
    )
    return next(faults)
