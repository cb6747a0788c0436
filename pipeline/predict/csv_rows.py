"""Rows of a CSV, each judged by itself, so that a wrong one does not stop the others."""

import collections
import csv
import dataclasses
import functools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from components.ecg_example_gen.faults import cell_fault, split_cells
from components.ecg_example_gen.row_blocks import is_header, require_commas
from components.ecg_example_gen.text_blocks import LineBlock
from pipeline.predict.rows import Rejected, Rows
from pipeline_config import LABEL_FEATURE, UserInputError


@dataclasses.dataclass(frozen=True)
class CsvLayout:
    """What the columns of a file are.

    Attributes:
        shape: Shape of one example.
        labelled: Whether a label, which is not read, follows the values.
        header_row: Number of the line that names the columns; 0 for none.
    """

    shape: tuple[int, ...]
    labelled: bool
    header_row: int

    @functools.cached_property
    def length(self) -> int:
        """Values of one example."""
        return math.prod(self.shape)

    @functools.cached_property
    def columns(self) -> int:
        """Cells a row."""
        return self.length + self.labelled


class ParsedBlock(NamedTuple):
    """What a block of lines held."""

    rows: Rows
    rejected: list[Rejected]


def find_layout(block: LineBlock, shape: tuple[int, ...], path: str) -> CsvLayout:
    """Returns the layout that most rows of a file's first block have.

    Decided once for a file, not by the row: a labelled row that lacks a value has as many cells
    as one without a label.

    Raises:
        UserInputError: Fields are not separated by commas, or the label is not the last column.
    """
    lines = block.data.decode(errors="replace").split("\n")
    header_row = 0
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is not None:
        require_commas(lines[first], path)
        if _names_columns(_cells(lines[first].strip()), path):
            header_row = block.first_line + first
    length = math.prod(shape)
    counts = collections.Counter(len(_cells(line)) for line in lines if line)
    return CsvLayout(shape, counts[length + 1] >= counts[length], header_row)


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


def _names_columns(cells: list[str], path: str) -> bool:
    names = [cell.strip().lower() for cell in cells]
    if LABEL_FEATURE in names[:-1]:
        column = names.index(LABEL_FEATURE) + 1
        raise UserInputError(f"{path}: the label is column {column}: make it the last column")
    return is_header(cells)


def _cells(line: str) -> list[str]:
    if '"' not in line:
        return line.split(",")
    try:
        return split_cells(line)
    except csv.Error:
        return []


def _samples(line: bytes, layout: CsvLayout) -> list[float] | None:
    try:
        cells = _cells(line.decode())
        if len(cells) != layout.columns:
            return None
        samples = cells[: layout.length]
        # Python's float() takes underscores between digits.
        if b"_" in line and any("_" in cell for cell in samples):
            return None
        return [*map(float, samples)]
    except ValueError:
        return None


def _rejected(number: int, line: bytes, layout: CsvLayout) -> Rejected:
    return Rejected(number, _fault(line, layout), line.decode(errors="backslashreplace"))


def _fault(line: bytes, layout: CsvLayout) -> str:
    if b"\r" in line:
        return "lines end with CR alone: save the file with LF or CRLF line ends"
    try:
        cells = _cells(line.decode())
    except UnicodeDecodeError:
        return "not UTF-8 text: save the file as CSV (UTF-8)"
    if len(cells) != layout.columns:
        noun = "value" if len(cells) == 1 else "values"
        label = f" ({layout.length} and a label)" if layout.labelled else ""
        return f"{len(cells)} {noun}, expected {layout.columns}{label}"
    faults = (
        f"column {column}: {fault}"
        for column, cell in enumerate(cells[: layout.length], start=1)
        if (fault := cell_fault(cell))
    )
    return next(faults)
