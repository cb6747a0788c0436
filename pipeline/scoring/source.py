"""The file that is scored: what it is, and its rows or those of a range of it, block by block."""

import contextlib
import dataclasses
import io
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from data.formats.content import (
    BLOCK_BYTES,
    MAX_LINE_BYTES,
    LineBlock,
    gunzip,
    read_line_blocks,
    read_start,
)
from data.formats.csv_file import find_layout
from data.formats.csv_layout import CsvLayout
from data.formats.csv_rows import parse_block
from data.formats.example_file import ExampleFile, example_format
from data.formats.first_bytes import GZIP
from data.formats.rows import Block
from pipeline.scoring.counted_file import CountedFormat, find_counted_file
from pipeline.scoring.image_files import bytes_of_folder, holds_picture
from pipeline.scoring.request import STANDARD_INPUT, is_remote
from pipeline_config import ImageData, SignalData, UserInputError

_IDX_START = b"\0\0"
"""No text begins with it."""

Advance = Callable[[int], None]
"""Is called with how many bytes have been read since the start."""

Notify = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Source:
    """A file that was found.

    Attributes:
        path: As the user named it.
        kind: By its content.
        is_gzip: By its content; such a file cannot be read from its middle.
        bytes: What `Advance` is called with at the end; None for standard input.
        drop_columns: Columns to leave out, from 0.
    """

    path: str
    kind: Literal["csv"] | CountedFormat
    is_gzip: bool
    bytes: int | None
    drop_columns: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class FileRange:
    """A part of a file; by default all of it.

    Attributes:
        index: Its place among the ranges of the file.
        start: First byte of a CSV, or first row, from 0, of another file.
        stop: The byte or row after the last; None for the rest, whatever its length.
        first_line: Number of the first line of a CSV that begins in it.
    """

    index: int = 0
    start: int = 0
    stop: int | None = None
    first_line: int = 1


WHOLE = FileRange()


def find_source(path: str, drop_columns: tuple[int, ...] = ()) -> Source:
    """Looks at a file's start.

    Args:
        path: On any file system that Beam supports, or "-" for standard input; or a folder of
            pictures on this machine.
        drop_columns: Columns to leave out, from 0.

    Raises:
        UserInputError: There is no such file, or it cannot be read.
    """
    if path == STANDARD_INPUT:
        return Source("standard input", "csv", False, None, drop_columns)
    if not is_remote(path) and Path(path).is_dir():
        return Source(path, "pictures", False, bytes_of_folder(path), drop_columns)
    with _open_file(path) as file:
        size = file.seek(0, os.SEEK_END)
    kind, is_gzip = example_format(path)
    if kind is not None:
        return Source(path, kind, is_gzip, size, drop_columns)
    start = read_start(path).content
    if holds_picture(path, start):
        return Source(path, "pictures", False, size, drop_columns)
    is_idx = start.startswith(_IDX_START)
    return Source(path, "idx" if is_idx else "csv", is_gzip, size, drop_columns)


def find_columns(source: Source, data: SignalData | ImageData) -> CsvLayout | ExampleFile:
    """Returns what a model's examples look like in a file.

    Raises:
        UserInputError: The file is not of the kind that the model takes.
    """
    if source.kind == "csv":
        return find_layout(read_lines(source), data, source.path, source.drop_columns)[1]
    return find_counted_file(
        source.path, source.kind, data, source.drop_columns, is_gzip=source.is_gzip
    )


def read_source(
    source: Source, data: SignalData | ImageData, advance: Advance, notify: Notify = lambda _: None
) -> Iterator[Block]:
    """Yields a file's rows in order, about `content.BLOCK_BYTES` of it at a time.

    Args:
        source: The file.
        data: How the model's own files were read.
        advance: Is called for each block.
        notify: Is called with what a person should know of rows that are left out.

    Raises:
        UserInputError: The file is torn, damaged, or not of the kind that the model takes.
    """
    if source.kind != "csv":
        columns = find_columns(source, data)
        assert not isinstance(columns, CsvLayout)
        if columns.notice:
            notify(columns.notice)
        done, size = 0, source.bytes or 0
        for block in columns.read():
            # Within compressed data the rows read so far are as good a measure as the bytes.
            done += len(block.rows) + len(block.rejected)
            advance(size * done // columns.rows)
            yield block
        return
    # Standard input is read only once, so the layout is found on the way.
    blocks = read_lines(source, WHOLE, advance)
    first, layout = find_layout(blocks, data, source.path, source.drop_columns)
    for lines in itertools.chain([first], blocks):
        yield parse_block(lines, layout, source.path)


def read_range(
    source: Source, columns: CsvLayout | ExampleFile, part: FileRange
) -> Iterator[Block]:
    """Yields the rows of a range in order; see `read_source`."""
    if not isinstance(columns, CsvLayout):
        yield from columns.read(part.start, part.stop)
        return
    for lines in read_lines(source, part):
        yield parse_block(lines, columns, source.path)


def cut(source: Source, columns: CsvLayout | ExampleFile, range_bytes: int) -> list[FileRange]:
    """Returns ranges of about `range_bytes` that cover a file."""
    end, step, has_middle = source.bytes or 1, range_bytes, not source.is_gzip
    if not isinstance(columns, CsvLayout):
        end, step = max(columns.rows, 1), max(range_bytes // columns.row_bytes, 1)
        has_middle = columns.has_middle
    if not has_middle:
        return [WHOLE]
    starts = range(0, end, step)
    ends = [*starts[1:], None]
    return [FileRange(index, *ends) for index, ends in enumerate(zip(starts, ends, strict=True))]


def count_lines(source: Source, part: FileRange) -> int:
    """Returns how many lines of a CSV begin within a range, that is not the file's last."""
    first = max(part.start - 1, 0)
    left = (part.stop or 0) - 1 - first
    count = int(part.start == 0)
    with _open_file(source.path) as file:
        file.seek(first)
        while left > 0 and (data := file.read(min(left, BLOCK_BYTES))):
            count += data.count(b"\n")
            left -= len(data)
    return count


def read_lines(
    source: Source, part: FileRange = WHOLE, advance: Advance = lambda read: None
) -> Iterator[LineBlock]:
    """Yields the lines of a CSV that begin within a range.

    Raises:
        UserInputError: See `read_line_blocks`.
    """
    with _open_text(source, part) as (text, position):
        read = 0
        for block in read_line_blocks(text, source.path, first_line=part.first_line):
            read += len(block.data)
            advance(position() if position else read)
            yield block


@contextlib.contextmanager
def _open_text(
    source: Source, part: FileRange
) -> Iterator[tuple[BinaryIO, Callable[[], int] | None]]:
    """Yields a range's bytes, and what returns the place in the file if bytes alone do not."""
    if source.bytes is None:
        # A pipe does not go back to its start, so its first bytes are peeked at.
        pipe = cast(io.BufferedReader, sys.stdin.buffer)
        if pipe.peek(len(GZIP)).startswith(GZIP):
            with gunzip(pipe, source.path) as text:
                yield text, None
        else:
            yield pipe, None
        return
    with _open_file(source.path) as file:
        if source.is_gzip:
            with gunzip(file, source.path) as text:
                yield text, file.tell
            return
        if part.start:
            file.seek(part.start - 1)
            file.readline(MAX_LINE_BYTES)
        yield (file if part.stop is None else cast(BinaryIO, _LinesUntil(file, part.stop))), None


class _LinesUntil:
    """Reads on from a file's position, until the end of the line that reaches `stop`."""

    def __init__(self, file: BinaryIO, stop: int) -> None:
        self._file = file
        self._left = stop - file.tell()

    def read(self, size: int) -> bytes:
        if self._left <= 0:
            return b""
        data = self._file.read(min(size, self._left))
        if len(data) == self._left and not data.endswith(b"\n"):
            data += self._file.readline(MAX_LINE_BYTES + 1)
        self._left -= len(data)
        return data


def require_file(path: str) -> None:
    """Checks that there is a file of a name.

    Raises:
        UserInputError: There is none.
    """
    if not FileSystems.exists(path):
        raise UserInputError(f"{path}: no such file")
    if not is_remote(path) and not Path(path).is_file():
        raise UserInputError(f"{path}: not a file; a pipe goes to standard input, with - as FILE")


@contextlib.contextmanager
def _open_file(path: str) -> Iterator[BinaryIO]:
    """Opens a file as it lies on its file system, compressed or not.

    Raises:
        UserInputError: There is no such file, or it cannot be read.
    """
    require_file(path)
    try:
        file = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise UserInputError(f"{path}: cannot be read: {reason}") from error
    with file:
        yield cast(BinaryIO, file)
