"""Tables that are written piece by piece, as CSV or Parquet."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from pipeline.scoring.request import Format

_ROW_GROUP_BYTES = 4 << 20
_IN_QUOTES = r'[",\r\n]'

WriteTable = Callable[[pa.Table], None]


def table_writer(
    file: BinaryIO, kind: Format, schema: pa.Schema
) -> AbstractContextManager[WriteTable]:
    """Returns what writes tables of one schema into a file; the file is whole when it is left."""
    return (_parquet_writer if kind == "parquet" else _csv_writer)(file, schema)


@contextlib.contextmanager
def _csv_writer(file: BinaryIO, schema: pa.Schema) -> Iterator[WriteTable]:
    # Arrow's own header is in quotes.
    file.write(f"{','.join(schema.names)}\n".encode())

    def write(table: pa.Table) -> None:
        # Arrow would put each text in quotes, and a time of the user's own would look like another.
        style = "needed" if any(map(_needs_quotes, table.columns)) else "none"
        options = csv.WriteOptions(include_header=False, quoting_style=style)
        csv.write_csv(table, file, options)

    yield write


def _needs_quotes(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_string(column.type):
        return False
    return bool(pc.any(pc.match_substring_regex(column, _IN_QUOTES)).as_py())


@contextlib.contextmanager
def _parquet_writer(file: BinaryIO, schema: pa.Schema) -> Iterator[WriteTable]:
    kept: list[pa.Table] = []
    kept_bytes = 0

    def write(table: pa.Table) -> None:
        nonlocal kept_bytes
        # A row group a batch would be a file of headers.
        kept.append(table)
        kept_bytes += table.nbytes
        if kept_bytes >= _ROW_GROUP_BYTES:
            flush()

    def flush() -> None:
        nonlocal kept_bytes
        if kept:
            writer.write_table(pa.concat_tables(kept))
        kept.clear()
        kept_bytes = 0

    with parquet.ParquetWriter(file, schema) as writer:
        yield write
        flush()
