"""What a prediction writes: scores as CSV or Parquet, and a CSV of the rows it rejected."""

import contextlib
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from pyarrow import csv, parquet

from data.formats.rows import REJECT_COLUMNS, Rejected, Rows
from pipeline.scoring.engine import Outputs, ServedModel
from pipeline.scoring.request import Format
from pipeline.scoring.summary import ERROR, IS_ANOMALY
from pipeline_config import UserInputError

NewFile = AbstractContextManager[BinaryIO]
"""Opens a file to write when it is entered; it takes its name if the block ends well."""

REJECTS_HEADER = ",".join(REJECT_COLUMNS)

_THRESHOLD = "threshold"
_RECONSTRUCTION = "reconstruction"
_ROW_GROUP_VALUES = 1 << 20


def table_schema(model: ServedModel, kind: Format, *, reconstruction: bool) -> pa.Schema:
    """Returns the columns of an output.

    `row` int64, `error` float32, for detectors `threshold` float32 and `is_anomaly` bool. A
    reconstruction is one list of float32 in Parquet; in CSV, which has no lists, it is the
    columns `reconstruction_0`, `reconstruction_1`, ... An image's is row by row.
    """
    fields = [("row", pa.int64()), (ERROR, pa.float32())]
    if model.is_detector:
        fields += [(_THRESHOLD, pa.float32()), (IS_ANOMALY, pa.bool_())]
    size = math.prod(model.shape) if reconstruction else 0
    if reconstruction and kind == "parquet":
        fields.append((_RECONSTRUCTION, pa.list_(pa.float32())))
    else:
        fields += [(f"{_RECONSTRUCTION}_{index}", pa.float32()) for index in range(size)]
    return pa.schema(fields)


@contextlib.contextmanager
def scores_writer(
    new_file: NewFile | None, kind: Format, schema: pa.Schema
) -> Iterator[Callable[[Rows, Outputs], None]]:
    """Yields what adds the scores of some rows to an output.

    Args:
        new_file: None for an output that nobody asked for.
        kind: What to write; a number's text in a CSV reads back to the same float32.
        schema: From `table_schema`.
    """
    if new_file is None:
        yield lambda rows, outputs: None
        return
    writer = _parquet_writer if kind == "parquet" else _csv_writer
    with new_file as file, writer(file, schema) as write:
        yield lambda rows, outputs: write(_as_table(rows, outputs, schema))


@contextlib.contextmanager
def rejects_writer(new_file: NewFile | None) -> Iterator[Callable[[Rejected], None]]:
    """Yields what adds a rejected row to a CSV: its number, what is wrong with it, and its text.

    Args:
        new_file: Is opened at the first rejected row; None if nobody asked for the file.
    """
    if new_file is None:
        yield lambda rejected: None
        return
    with contextlib.ExitStack() as stack:
        file: BinaryIO | None = None

        def write(rejected: Rejected) -> None:
            nonlocal file
            if file is None:
                file = stack.enter_context(new_file)
                file.write(f"{REJECTS_HEADER}\n".encode())
            file.write(f"{rejected.as_csv_line()}\n".encode())

        yield write


def require_rejects(path: str | None) -> None:
    """Checks that a file may be replaced, or removed if no row is rejected this time.

    Args:
        path: Where rejected rows would go; None for nowhere.

    Raises:
        UserInputError: There is a file that does not begin like one of rejected rows.
    """
    if path is None or not FileSystems.exists(path):
        return
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        start = file.read(len(REJECTS_HEADER) + 1)
    if start and start.rstrip(b"\r\n") != REJECTS_HEADER.encode():
        raise UserInputError(
            f"{path}: rows that cannot be scored would go there, but there is a file of something "
            "else: name another one with --rejects"
        )


def _as_table(rows: Rows, outputs: Outputs, schema: pa.Schema) -> pa.Table:
    columns = []
    reconstruction = outputs[_RECONSTRUCTION]
    flat = reconstruction.reshape(len(rows), math.prod(reconstruction.shape[1:]))
    for field in schema:
        if field.name == "row":
            columns.append(pa.array(rows.numbers))
        elif field.name == _RECONSTRUCTION:
            offsets = np.arange(len(rows) + 1, dtype=np.int32) * flat.shape[1]
            columns.append(pa.ListArray.from_arrays(offsets, pa.array(flat.ravel())))
        elif field.name in outputs:
            columns.append(pa.array(outputs[field.name]))
        else:
            index = int(field.name.removeprefix(f"{_RECONSTRUCTION}_"))
            columns.append(pa.array(flat[:, index]))
    return pa.Table.from_arrays(columns, schema=schema)


@contextlib.contextmanager
def _csv_writer(file: BinaryIO, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    # Arrow's own header is in quotes.
    file.write(f"{','.join(schema.names)}\n".encode())
    with csv.CSVWriter(
        file, schema, write_options=csv.WriteOptions(include_header=False)
    ) as writer:
        yield writer.write_table


@contextlib.contextmanager
def _parquet_writer(file: BinaryIO, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    kept: list[pa.Table] = []

    def write(table: pa.Table) -> None:
        # A row group a batch would be a file of headers.
        kept.append(table)
        if sum(table.nbytes for table in kept) // 4 >= _ROW_GROUP_VALUES:
            flush()

    def flush() -> None:
        if kept:
            writer.write_table(pa.concat_tables(kept))
        kept.clear()

    with parquet.ParquetWriter(file, schema) as writer:
        yield write
        flush()
