"""The files that a prediction in this process writes, row after row."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet

from data.formats.rows import REJECT_COLUMNS, Rejected
from pipeline.scoring.hidden import hidden_file
from pipeline.scoring.request import Format
from pipeline.scoring.table import csv_header

WriteTable = Callable[[pa.Table], None]

_ROW_GROUP_VALUES = 1 << 20


@contextlib.contextmanager
def table_writer(path: Path | None, kind: Format, schema: pa.Schema) -> Iterator[WriteTable]:
    """Yields what adds rows to an output; it is there under its name once the block ended well.

    Args:
        path: None for an output that nobody asked for.
        kind: What to write.
        schema: The columns of the tables.
    """
    if path is None:
        yield lambda table: None
        return
    writer = _parquet_writer if kind == "parquet" else _csv_writer
    with hidden_file(path) as hidden, writer(hidden, schema) as write:
        yield write


@contextlib.contextmanager
def _csv_writer(path: Path, schema: pa.Schema) -> Iterator[WriteTable]:
    options = csv.WriteOptions(include_header=False)
    with path.open("wb") as file:
        # Arrow's own header is in quotes.
        file.write(f"{csv_header(schema)}\n".encode())
        with csv.CSVWriter(file, schema, write_options=options) as writer:
            yield writer.write_table


@contextlib.contextmanager
def _parquet_writer(path: Path, schema: pa.Schema) -> Iterator[WriteTable]:
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

    with parquet.ParquetWriter(path, schema) as writer:
        yield write
        flush()


class RejectsFile:
    """Rejected rows as a CSV, made at the first of them.

    If there are none, a former file of this name is removed when the block ends well: it told
    of a former output.

    Args:
        path: None if nobody asked for it.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stack = contextlib.ExitStack()
        self._write: Callable[[str], object] | None = None

    def __enter__(self) -> "RejectsFile":
        self._stack.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.__exit__(*raised)  # type: ignore[arg-type]
        if raised[0] is None and self._write is None and self._path is not None:
            self._path.unlink(missing_ok=True)

    def add(self, rejected: Rejected) -> None:
        """Writes a row's number, what is wrong with it, and its text."""
        if self._path is None:
            return
        if self._write is None:
            hidden = self._stack.enter_context(hidden_file(self._path))
            file = self._stack.enter_context(hidden.open("w", encoding="utf-8"))
            self._write = file.write
            self._write(",".join(REJECT_COLUMNS) + "\n")
        self._write(rejected.as_csv_line() + "\n")
