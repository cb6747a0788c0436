"""NumPy's files: `.npy`, one array, and `.npz`, several with names.

Rows are the array's items: [rows, samples] or [rows, samples, channels]. Labels are an array of
their own in an `.npz`, or the first or last of the values of each row.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from data.formats.content import BLOCK_BYTES, open_content
from data.formats.labels import LabelRule, class_names
from data.formats.npy_array import ArrayHeader, read_items
from data.formats.rows import Block, Rows, no_labels
from data.formats.samples import as_float32, finite_rows
from data.formats.zipped_arrays import open_array


@dataclasses.dataclass(frozen=True)
class NumpyFile:
    """A file of arrays whose rows are examples.

    Attributes:
        path: The file.
        samples: Header of the array with the samples.
        names: Names of the arrays with the samples and, behind it, with the labels if they are
            read, in an `.npz`; none in an `.npy`.
        labels: Header of the array with the labels; None if they are no array of their own.
        label_column: Place of the label among the values of each row, 0 or -1; None if it is not
            there.
        channels: Places of the channels that are read; none for all.
        rule: Which classes are normal; None if labels are not read.
        shape: Shape of one example.
        has_middle: Whether rows can be read without those before.
    """

    path: str
    samples: ArrayHeader
    names: tuple[str, ...]
    labels: ArrayHeader | None
    label_column: int | None
    channels: tuple[int, ...]
    rule: LabelRule | None
    shape: tuple[int, ...]
    has_middle: bool

    @property
    def rows(self) -> int:
        """Rows in the file."""
        return self.samples.items

    @property
    def row_bytes(self) -> int:
        """Bytes of one row as float32."""
        return 4 * self.samples.values_per_item

    @property
    def notice(self) -> str | None:
        """None: every row is read."""
        return None

    def read(
        self, first: int = 0, stop: int | None = None, block_bytes: int = BLOCK_BYTES
    ) -> Iterator[Block]:
        """Yields rows in file order.

        Args:
            first: Index of the first row.
            stop: Index of the row to stop before; None reads to the end and checks that it is one.
            block_bytes: Bytes of float32 samples read at a time.

        Raises:
            UserInputError: The file is shorter or longer than it says, or damaged.
        """
        end = self.rows if stop is None else min(stop, self.rows)
        count = max(1, block_bytes // self.row_bytes)
        headers = [self.samples, *([self.labels] if self.labels else [])]
        at_random = first > 0 or end < self.rows
        with contextlib.ExitStack() as stack:
            arrays = []
            for index, header in enumerate(headers):
                name = self.names[index] if self.names else None
                opened = open_one(self.path, name, at_random=at_random or header.is_fortran)
                file = stack.enter_context(opened)
                arrays.append(read_items(file, header, first, end, count))
            for values, *classes in zip(*arrays, strict=True):
                yield self._block(first, values, *classes)
                first += len(values)

    def _block(
        self, first: int, values: npt.NDArray[Any], classes: npt.NDArray[Any] | None = None
    ) -> Block:
        numbers = np.arange(first + 1, first + 1 + len(values), dtype=np.int64)
        if self.label_column is not None:
            classes = values[:, self.label_column]
            values = values[:, 1:] if self.label_column == 0 else values[:, :-1]
        if self.channels:
            values = values.reshape(*values.shape[:2], -1)[..., self.channels]
        samples = as_float32(values).reshape(len(values), *self.shape)
        good, rejected = finite_rows(samples, numbers)
        names, labels = None, no_labels(len(values))
        if self.rule is not None and classes is not None:
            names = class_names(_as_cells(classes))
            labels = self.rule.labels_of(names)
        rows = Rows(numbers, samples, labels, names)
        return Block(self.path, rows if not rejected else rows[good], tuple(rejected))


def open_one(
    path: str, name: str | None, *, at_random: bool
) -> contextlib.AbstractContextManager[BinaryIO]:
    """Opens an `.npy`, or an array of an `.npz` by its name; see `zipped_arrays.open_array`."""
    return open_content(path) if name is None else open_array(path, name, at_random=at_random)


def _as_cells(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns labels as numbers or text, [n]."""
    flat = labels.reshape(len(labels))
    if flat.dtype.kind == "S":
        return np.char.decode(flat, errors="replace")
    return flat.astype(np.int64) if flat.dtype.kind == "b" else flat
