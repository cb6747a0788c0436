"""Examples of a file in batches, and the rows that are none."""

import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

REJECT_COLUMNS = ("row", "reason", "text")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Examples in the order of the file.

    Attributes:
        numbers: int64 [n]; from 1, lines of a CSV (with a header and blank lines counted) or
            items of an IDX file.
        values: float32 [n, *shape]; in the file's units.
    """

    numbers: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, part: slice | npt.NDArray[np.bool_]) -> "Rows":
        return Rows(self.numbers[part], self.values[part])


@dataclasses.dataclass(frozen=True, order=True)
class Rejected:
    """A row that cannot be scored.

    Attributes:
        row: Its number, as in `Rows`.
        reason: What is wrong with it.
        text: The row as it lies in the file; bytes that are no UTF-8 as `\\xNN`.
    """

    row: int
    reason: str
    text: str

    def as_csv_line(self) -> str:
        """Returns the columns `REJECT_COLUMNS`, without a line end."""
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow((self.row, self.reason, self.text))
        return line.getvalue()


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


def _joined(blocks: list[Rows]) -> Rows:
    if len(blocks) == 1:
        return blocks[0]
    numbers = np.concatenate([block.numbers for block in blocks])
    return Rows(numbers, np.concatenate([block.values for block in blocks]))
