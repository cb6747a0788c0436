"""Parquet as a series: a column a channel."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.formats.columns import Column
from data.formats.content import BLOCK_BYTES
from data.formats.parquet_file import open_parquet
from data.series.cells import to_samples
from data.series.columns import FIRST_ROWS, SeriesColumns
from data.series.samples import Reject, Samples
from pipeline_config import UserInputError

_BYTES_A_CELL = 8


class ParquetFile:
    """A Parquet file with a column a channel; times may be numbers, texts or timestamps.

    Args:
        path: On any file system that Beam supports.
        block_bytes: Bytes of samples read at a time.
        reject: Is called with each row that cannot be read; None to raise.
    """

    def __init__(
        self, path: str, block_bytes: int = BLOCK_BYTES, reject: Reject | None = None
    ) -> None:
        self._path = path
        self._reject = reject
        self._block_bytes = block_bytes

    def columns(self) -> list[Column]:
        """Returns the columns, with the first values as text.

        Raises:
            UserInputError: A column holds lists, or there are no rows.
        """
        with open_parquet(self._path) as file:
            schema = file.schema_arrow
            for field in schema:
                if pa.types.is_nested(field.type):
                    raise UserInputError(
                        f"{self._path}: column {field.name!r} holds {field.type}, so each row is "
                        "an example of its own: --set data.series=false"
                    )
            first = next(file.iter_batches(FIRST_ROWS), None)
        if first is None or not len(first):
            raise UserInputError(f"{self._path}: the file has no rows: give a series of samples")
        return [
            Column(place, name.strip().lower(), [_as_text(cell) for cell in column.to_pylist()])
            for place, (name, column) in enumerate(zip(schema.names, first.columns, strict=True))
        ]

    def count(self) -> int:
        """Returns how many samples the file has."""
        with open_parquet(self._path) as file:
            return int(file.metadata.num_rows)

    def read(self, columns: SeriesColumns) -> Iterator[Samples]:
        """Yields the samples.

        Raises:
            UserInputError: A value cannot be read.
        """
        start = 0
        with open_parquet(self._path) as file:
            names = file.schema_arrow.names
            wanted = [
                *columns.channels,
                *(p for p in (columns.time, columns.label) if p is not None),
            ]
            rows = max(1, self._block_bytes // (_BYTES_A_CELL * len(wanted)))
            for batch in file.iter_batches(rows, columns=[names[place] for place in wanted]):
                numbers = np.arange(start + 1, start + 1 + len(batch), dtype=np.int64)
                channels = [self._numbers(batch, names[place]) for place in columns.channels]
                yield to_samples(
                    self._path,
                    columns,
                    start,
                    numbers,
                    np.stack(channels, axis=1),
                    None if columns.time is None else _times(batch.column(names[columns.time])),
                    None if columns.label is None else _labels(batch.column(names[columns.label])),
                    reject=self._reject,
                )
                start += len(batch)

    def _numbers(self, batch: pa.RecordBatch, name: str) -> npt.NDArray[Any]:
        column = batch.column(name)
        try:
            return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise UserInputError(
                f"{self._path}: column {name!r} holds {column.type}, which is no channel: leave "
                "it out with data.drop"
            ) from error


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return str(int(value) if isinstance(value, bool) else value)


def _times(column: pa.Array) -> npt.NDArray[Any]:
    if pa.types.is_temporal(column.type):
        # Times with a zone become those of UTC.
        return column.cast(pa.timestamp("ns")).to_numpy(zero_copy_only=False)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _labels(column)
    return column.to_numpy(zero_copy_only=False)


def _labels(column: pa.Array) -> npt.NDArray[np.str_]:
    texts = column.cast(pa.string()).fill_null("")
    return texts.to_numpy(zero_copy_only=False).astype(np.str_)
