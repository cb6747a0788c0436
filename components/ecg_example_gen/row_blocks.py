"""Rows of signal CSV files as arrays, a block at a time."""

import dataclasses
import io
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from data.formats.layout import require_training_layout
from data.formats.row_faults import first_fault
from data.formats.table import ROWS, read_start
from data.formats.text_blocks import BLOCK_BYTES, TextBlock, read_text_blocks
from pipeline_config import UserInputError

_LINES_JUDGED = 2 * ROWS
"""Blank lines may stand between rows."""


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
    start = _Judge(path, length)
    for block in read_text_blocks(path, block_bytes):
        below = block if start.is_judged else start.add(block)
        if below is None or not below.text.strip("\n"):
            continue
        values = _parse(below, path, length)
        labels = values[:, -1].astype(np.int64)
        yield RowBlock(path, rows, values[:, :-1].astype(np.float32), labels)
        rows += len(labels)
    if not rows:
        state = "has a header but no rows below it" if start.has_text else "is empty"
        raise UserInputError(
            f"{path}: the file {state}: give a CSV with {length} samples and a label in each row"
        )


class _Judge:
    """Takes the header off a file's first blocks and checks the columns of its first rows."""

    def __init__(self, path: str, length: int) -> None:
        self._path = path
        self._length = length
        self._text = TextBlock(1, "")
        self.is_judged = False

    @property
    def has_text(self) -> bool:
        """Whether anything has stood in the file so far."""
        return self.is_judged or bool(self._text.text)

    def add(self, block: TextBlock) -> TextBlock | None:
        """Returns all text below the header, or None until there is a row."""
        text = self._text.text + block.text
        first_line = self._text.first_line if self._text.text else block.first_line
        blank = len(text) - len(text.lstrip("\n"))
        self._text = TextBlock(first_line + blank, text[blank:])
        lines = self._text.text.split("\n", _LINES_JUDGED)[:_LINES_JUDGED]
        start = read_start(lines, self._path)
        if not start.rows:
            return None
        self.is_judged = True
        require_training_layout(start, self._length, self._path)
        if start.header is None:
            return self._text
        above = sum(len(line) + 1 for line in lines[: start.header + 1])
        return TextBlock(self._text.first_line + start.header + 1, self._text.text[above:])


def _parse(block: TextBlock, path: str, length: int) -> npt.NDArray[np.float64]:
    try:
        # float64 first: the tutorial's pandas rounds to float32 from there.
        values = np.loadtxt(
            io.StringIO(block.text), delimiter=",", quotechar='"', comments=None, ndmin=2
        )
    except ValueError as error:
        raise UserInputError(_fault(block, path, length, str(error))) from error
    if not _is_valid(values, length):
        raise UserInputError(_fault(block, path, length, "a value is out of range"))
    return values


def _fault(block: TextBlock, path: str, length: int, otherwise: str) -> str:
    fault = first_fault(block.text.split("\n"), block.first_line, length)
    return f"{path}, {fault or f'from row {block.first_line} on: {otherwise}'}"


def _is_valid(values: npt.NDArray[np.float64], length: int) -> bool:
    if values.shape[1] != length + 1:
        return False
    largest = np.finfo(np.float32).max
    in_range = bool((np.abs(values[:, :-1]) <= largest).all())
    return in_range and bool(np.isin(values[:, -1], (0.0, 1.0)).all())
