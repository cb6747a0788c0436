"""What a reader of a file format returns: blocks of examples, and the rows that are none.

A reader is a function from a file to an iterator of `Block`, each about as large as
`content.BLOCK_BYTES`, so that memory does not grow with the file.
"""

import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline_config import UNLABELLED, UserInputError

REJECT_COLUMNS = ("row", "reason", "text")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Examples in the order of the file.

    Attributes:
        numbers: int64 [n]; from 1, lines of a CSV (with a header and blank lines counted) or
            items of an IDX file.
        values: [n, *shape] in the file's units: float32 of a CSV, uint8 of an IDX file.
        labels: int64 [n]; `UNLABELLED` if there is none, or it is not read.
        classes: str [n], each class's own name in the file, empty if unlabelled; None if the
            format has no names, or they are not read.
    """

    numbers: npt.NDArray[np.int64]
    values: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]
    classes: npt.NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, part: slice | npt.NDArray[np.bool_]) -> "Rows":
        classes = None if self.classes is None else self.classes[part]
        return Rows(self.numbers[part], self.values[part], self.labels[part], classes)

    def as_float32(self) -> "Rows":
        """Returns the rows with float32 values."""
        return dataclasses.replace(self, values=self.values.astype(np.float32, copy=False))


@dataclasses.dataclass(frozen=True, order=True)
class Rejected:
    """A row that is no example.

    Attributes:
        row: Its number, as in `Rows`.
        reason: What is wrong with it, in one sentence that names the column if it is one cell.
        text: The row as it is in the file; bytes that are no UTF-8 as `\\xNN`.
    """

    row: int
    reason: str
    text: str

    def located(self) -> str:
        """Returns the sentence with its place, such as "row 3, column 7: 'x' is not a number"."""
        joint = ", " if self.reason.startswith(("column ", "sample ")) else ": "
        return f"row {self.row}{joint}{self.reason}"

    def as_csv_line(self) -> str:
        """Returns the columns `REJECT_COLUMNS`, without a line end."""
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow((self.row, self.reason, self.text))
        return line.getvalue()


@dataclasses.dataclass(frozen=True)
class Block:
    """Consecutive rows of a file.

    Attributes:
        path: The file.
        rows: Those that are examples.
        rejected: Those that are not, in the order of the file.
    """

    path: str
    rows: Rows
    rejected: tuple[Rejected, ...] = ()


def accepted(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yields blocks as long as no row of them is rejected.

    Raises:
        UserInputError: A row is rejected; the message names file, row and column.
    """
    for block in blocks:
        for rejected in block.rejected:
            raise UserInputError(f"{block.path}, {rejected.located()}")
        yield block


def batched(blocks: Iterable[Rows], size: int) -> Iterator[Rows]:
    """Yields the rows of all blocks, `size` at a time; fewer only at the end."""
    kept: list[Rows] = []
    count = 0
    for block in blocks:
        kept.append(block)
        count += len(block)
        if count < size:
            continue
        rows = _joined(kept)
        whole = count - count % size
        for start in range(0, whole, size):
            yield rows[start : start + size]
        kept, count = [rows[whole:]], count - whole
    if count:
        yield _joined(kept)


def no_labels(count: int) -> npt.NDArray[np.int64]:
    """Returns the labels of so many examples without any."""
    return np.full(count, UNLABELLED, np.int64)


def _joined(blocks: list[Rows]) -> Rows:
    if len(blocks) == 1:
        return blocks[0]
    classes = [block.classes for block in blocks if block.classes is not None]
    return Rows(
        np.concatenate([block.numbers for block in blocks]),
        np.concatenate([block.values for block in blocks]),
        np.concatenate([block.labels for block in blocks]),
        np.concatenate(classes) if len(classes) == len(blocks) else None,
    )
