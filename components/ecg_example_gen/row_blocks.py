"""Rows of signal CSV files as arrays, a block at a time."""

import dataclasses
import io
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from components.ecg_example_gen.faults import as_number, first_fault, length_fault, split_cells
from components.ecg_example_gen.text_blocks import BLOCK_BYTES, TextBlock, read_text_blocks
from pipeline_config import UserInputError

_OTHER_SEPARATORS = {";": "';'", "\t": "tabs"}


@dataclasses.dataclass(frozen=True)
class RowBlock:
    """Consecutive rows of a file.

    Attributes:
        path: The file.
        first_row: Index of the first row among the file's rows of data, from 0.
        signals: float32 [n, length], in the file's units.
        labels: int64 [n]; 1 = normal, 0 = abnormal.
    """

    path: str
    first_row: int
    signals: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]


def read_row_blocks(path: str, length: int, block_bytes: int = BLOCK_BYTES) -> Iterator[RowBlock]:
    """Yields the rows of a CSV file: `length` samples, then the label; with or without a header.

    Args:
        path: A file on any file system that Beam knows; see `read_text_blocks`.
        length: Samples a row.
        block_bytes: Bytes of text parsed at a time.

    Raises:
        UserInputError: The file has no rows, or something in it is not as expected; the message
            names file, row and column.
    """
    rows = 0
    header_may_come = True
    for block in read_text_blocks(path, block_bytes):
        starts_file = header_may_come and bool(block.text.strip("\n"))
        if starts_file:
            header_may_come = False
            block = _without_header(block, path)
        if not block.text.strip("\n"):
            continue
        values = _parse(block, path, length, starts_file)
        labels = values[:, -1].astype(np.int64)
        yield RowBlock(path, rows, values[:, :-1].astype(np.float32), labels)
        rows += len(labels)
    if not rows:
        state = "is empty" if header_may_come else "has a header but no rows below it"
        raise UserInputError(
            f"{path}: the file {state}: give a CSV with {length} samples and a label in each row"
        )


def _without_header(block: TextBlock, path: str) -> TextBlock:
    blank = len(block.text) - len(block.text.lstrip("\n"))
    line, _, below = block.text[blank:].partition("\n")
    require_commas(line, path)
    if is_header(split_cells(line)):
        return TextBlock(block.first_line + blank + 1, below)
    return TextBlock(block.first_line + blank, block.text[blank:])


def require_commas(line: str, path: str) -> None:
    """Checks a file's first line.

    Raises:
        UserInputError: Its fields are separated by something else.
    """
    for separator, name in _OTHER_SEPARATORS.items():
        if separator in line:
            raise UserInputError(f"{path}: fields are separated by {name}: save it with commas")


def is_header(cells: list[str]) -> bool:
    """Tells whether a file's first line names columns rather than holds numbers."""
    if all(as_number(cell) is None for cell in cells):
        return any(cell.strip() for cell in cells)
    # pandas names columns without a name 0, 1, 2, ...
    counted = [str(index) for index in range(len(cells))]
    return cells[:-1] == counted[:-1] and (cells[-1] == counted[-1] or as_number(cells[-1]) is None)


def _parse(block: TextBlock, path: str, length: int, starts_file: bool) -> npt.NDArray[np.float64]:
    try:
        # float64 first: the tutorial's pandas rounds to float32 from there.
        values = np.loadtxt(
            io.StringIO(block.text), delimiter=",", quotechar='"', comments=None, ndmin=2
        )
    except ValueError as error:
        raise UserInputError(_fault(block, path, length, starts_file, str(error))) from error
    if not _is_valid(values, length):
        raise UserInputError(_fault(block, path, length, starts_file, "a value is out of range"))
    return values


def _fault(block: TextBlock, path: str, length: int, starts_file: bool, otherwise: str) -> str:
    lines = block.text.split("\n")
    if starts_file and (fault := length_fault(lines, length)):
        return f"{path}: {fault}"
    fault = first_fault(lines, block.first_line, length)
    return f"{path}, {fault or f'from row {block.first_line} on: {otherwise}'}"


def _is_valid(values: npt.NDArray[np.float64], length: int) -> bool:
    if values.shape[1] != length + 1:
        return False
    largest = np.finfo(np.float32).max
    in_range = bool((np.abs(values[:, :-1]) <= largest).all())
    return in_range and bool(np.isin(values[:, -1], (0.0, 1.0)).all())
