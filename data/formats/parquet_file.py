"""Parquet files: a column of lists of samples, or one column a sample."""

import contextlib
import dataclasses
import itertools
import math
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.formats.channels import pick_channels
from data.formats.columns import Column
from data.formats.content import BLOCK_BYTES, open_file
from data.formats.label_column import label_column_fault
from data.formats.labels import LabelRule, class_names
from data.formats.parquet_columns import Columns, find_columns
from data.formats.parquet_values import label_cells, samples_of
from data.formats.rows import Block, Rows, no_labels
from data.formats.samples import finite_rows, shape_fault
from pipeline_config import SignalData, UserInputError

_ROWS_JUDGED = 100

_FIXED_SIZE = "Expected all lists to be of size"


@dataclasses.dataclass(frozen=True)
class ParquetFile:
    """A file whose rows are examples.

    Attributes:
        path: The file.
        rows: Rows in the file.
        columns: Those that are read.
        rule: Which classes are normal; None if labels are not read.
        stored: Shape of one row's samples in the file.
        channels: Places of the channels that are read of it; none for all.
        shape: Shape of one example.
    """

    path: str
    rows: int
    columns: Columns
    rule: LabelRule | None
    stored: tuple[int, ...]
    channels: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def has_middle(self) -> bool:
        """True: whole row groups are passed over."""
        return True

    @property
    def notice(self) -> str | None:
        """None: every row is read."""
        return None

    @property
    def row_bytes(self) -> int:
        """Bytes of one row as float32."""
        return 4 * math.prod(self.stored)

    def read(
        self, first: int = 0, stop: int | None = None, block_bytes: int = BLOCK_BYTES
    ) -> Iterator[Block]:
        """Yields rows in file order.

        Args:
            first: Index of the first row.
            stop: Index of the row to stop before; None reads to the end.
            block_bytes: Bytes of float32 samples read at a time.

        Raises:
            UserInputError: The file is damaged.
        """
        end = self.rows if stop is None else min(stop, self.rows)
        count = max(1, block_bytes // self.row_bytes)
        names = [*self.columns.samples, *([self.columns.label] if self.columns.label else [])]
        with open_parquet(self.path) as file:
            groups, start = _row_groups(file, first, end)
            batches = file.iter_batches(count, groups, columns=names, use_threads=False)
            for batch in batches:
                begin = max(first, start)
                if begin < min(end, start + len(batch)):
                    yield self._block(begin, batch.slice(begin - start, end - begin))
                start += len(batch)

    def _block(self, first: int, batch: pa.RecordBatch) -> Block:
        numbers = np.arange(first + 1, first + 1 + len(batch), dtype=np.int64)
        columns = [batch.column(name) for name in self.columns.samples]
        values, fits, rejected = samples_of(columns, self.columns.depth, self.stored, numbers)
        if self.channels:
            values = values.reshape(*values.shape[:2], -1)[..., self.channels]
        values = values.reshape(-1, *self.shape)
        names, labels = None, no_labels(int(fits.sum()))
        if self.rule is not None and self.columns.label is not None:
            names = class_names(label_cells(batch.column(self.columns.label)))[fits]
            labels = self.rule.labels_of(names)
        rows = Rows(numbers[fits], values, labels, names)
        good, not_finite = finite_rows(values, rows.numbers)
        rejected = sorted([*rejected, *not_finite])
        return Block(self.path, rows if not not_finite else rows[good], tuple(rejected))


def find_parquet(path: str, data: SignalData, *, scoring: bool) -> ParquetFile:
    """Returns what a Parquet file holds.

    Args:
        path: On any file system that Beam supports.
        data: What the file is said to hold.
        scoring: Whether its rows are only scored, so that it may lack labels.

    Raises:
        UserInputError: The file is damaged, or its columns are not as expected; the message names
            the setting that helps.
    """
    with open_parquet(path) as file:
        columns = find_columns(file.schema_arrow, data, path, scoring=scoring)
        rows = file.metadata.num_rows
        if not rows:
            raise UserInputError(f"{path}: there are no rows in it: give one or more")
        names = [*columns.samples, *([columns.label] if columns.label else [])]
        head = next(file.iter_batches(_ROWS_JUDGED, columns=names))
    stored = _usual_shape(head, columns) or data.shape
    channels: tuple[int, ...] = ()
    if data.channel:
        found = [*columns.samples] if columns.depth == 1 else [""] * (*stored, 1)[1]
        channels = tuple(pick_channels(found, data, path))
    fault = None
    if columns.depth == 0 and not scoring and data.label in ("first", "last", "none"):
        if data.label == "first":
            names = [*names[-1:], *names[:-1]]
        fault = label_column_fault([_as_column(head, name) for name in names], data)
    fault = fault or shape_fault(
        (stored[0], len(channels)) if channels else stored, data, scoring=scoring
    )
    if fault:
        raise UserInputError(f"{path}: {fault}")
    rule = LabelRule.from_data(data) if columns.label is not None else None
    return ParquetFile(path, rows, columns, rule, stored, channels, data.shape)


def _as_column(batch: pa.RecordBatch, name: str) -> Column:
    cells = ["" if value is None else str(value) for value in batch.column(name).to_pylist()]
    return Column(0, name, cells)


@contextlib.contextmanager
def open_parquet(path: str) -> Iterator[pq.ParquetFile]:
    """Opens a Parquet file on any file system that Beam supports.

    Raises:
        UserInputError: The file is damaged, here or while it is read.
    """
    # Mapped, a row group's columns are decompressed page by page. Arrow reads them as a whole from
    # another file system. With `buffer_size` it would not, but it refuses valid files or crashes
    # then, by the size of their pages (18.1).
    opened = contextlib.nullcontext(path) if "://" not in path else open_file(path)
    with opened as file:
        try:
            yield pq.ParquetFile(file, memory_map=isinstance(file, str), pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            reason = str(error).split("\n", 1)[0].rstrip(".")
            if _FIXED_SIZE in reason:
                raise UserInputError(
                    f"{path}: a list of fixed size is missing in a row, which Arrow does not read: "
                    "save lists of any size, or take the row out"
                ) from error
            raise UserInputError(
                f"{path}: the Parquet file is damaged or ends early ({reason}): copy or download "
                "it again"
            ) from error


def _row_groups(file: pq.ParquetFile, first: int, end: int) -> tuple[list[int], int]:
    """Returns the row groups that hold some rows, and the index of their first row."""
    sizes = [file.metadata.row_group(place).num_rows for place in range(file.num_row_groups)]
    starts = [0, *itertools.accumulate(sizes)]
    groups = [
        place
        for place, size in enumerate(sizes)
        if starts[place] < end and starts[place] + size > first
    ]
    return groups, starts[groups[0]] if groups else end


def _usual_shape(head: pa.RecordBatch, columns: Columns) -> tuple[int, ...] | None:
    """Returns the shape that the first rows have in common; None if they have none."""
    if columns.depth == 0:
        return (len(columns.samples),)
    lengths = [_common_length(head.column(name)) for name in columns.samples]
    if None in lengths or len(set(lengths)) > 1:
        return None
    length = lengths[0]
    assert length is not None
    if columns.depth == 1:
        return (length,) if len(lengths) == 1 else (length, len(lengths))
    channels = _common_length(head.column(0).flatten())
    return None if channels is None else (length, channels)


def _common_length(lists: pa.Array) -> int | None:
    lengths = pc.unique(pc.list_value_length(lists)).drop_null().to_pylist()
    return int(lengths[0]) if len(lengths) == 1 else None
