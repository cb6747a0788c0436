"""The file that is scored: what it is, and its rows a block at a time."""

import contextlib
import dataclasses
import gzip
import io
import itertools
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from data.formats.csv_file import find_layout
from data.formats.csv_rows import CsvLayout, parse_block
from data.formats.first_bytes import GZIP
from data.formats.idx_file import find_images, read_images
from data.formats.line_blocks import read_line_blocks
from data.formats.raw_file import gunzip, unzipped
from data.formats.rows import Block
from pipeline.scoring.request import STANDARD_INPUT, is_remote
from pipeline_config import UserInputError

_IDX_START = b"\0\0"
"""No text begins with it."""

Advance = Callable[[int], None]
"""Is called with how many bytes have been read since the start."""


@dataclasses.dataclass(frozen=True)
class Source:
    """A file that was found.

    Attributes:
        path: As the user named it.
        kind: By its content.
        is_gzip: By its content; such a file cannot be read from its middle.
        bytes: What `Advance` is called with at the end; None if nobody knows.
        drop_columns: Columns of a CSV to leave out, from 0.
    """

    path: str
    kind: Literal["csv", "idx"]
    is_gzip: bool
    bytes: int | None
    drop_columns: tuple[int, ...] = ()


def find_source(path: str, drop_columns: tuple[int, ...] = ()) -> Source:
    """Looks at a file's start.

    Args:
        path: On any file system that Beam supports, or "-" for standard input.
        drop_columns: Columns of a CSV to leave out, from 0.

    Raises:
        UserInputError: There is no such file, or it cannot be read.
    """
    if path == STANDARD_INPUT:
        return Source("standard input", "csv", False, None, drop_columns)
    with open_file(path) as file:
        is_gzip = file.read(len(GZIP)) == GZIP
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        with unzipped(file, path) as content:
            is_idx = _start(content) == _IDX_START
    if is_idx and drop_columns:
        raise UserInputError(f"{path}: an IDX file has no columns: take --drop-column away")
    return Source(path, "idx" if is_idx else "csv", is_gzip, size, drop_columns)


def read_source(source: Source, shape: tuple[int, ...], advance: Advance) -> Iterator[Block]:
    """Yields a file's rows in order, about `raw_file.BLOCK_BYTES` of it at a time.

    Args:
        source: The file.
        shape: Shape of one example.
        advance: Is called for each block.

    Raises:
        UserInputError: The file is torn, damaged, or not of the kind that the model takes.
    """
    if source.kind == "idx":
        yield from _read_idx(source, shape, advance)
    else:
        yield from _read_csv(source, shape, advance)


def read_layout(source: Source, shape: tuple[int, ...]) -> CsvLayout:
    """Returns the layout of a CSV file; see `find_layout`."""
    with open_file(source.path) as file, unzipped(file, source.path) as lines:
        blocks = read_line_blocks(lines, source.path)
        _, layout = find_layout(blocks, shape, source.path, source.drop_columns)
        return layout


@contextlib.contextmanager
def open_file(path: str) -> Iterator[BinaryIO]:
    """Opens a file as it lies on its file system, compressed or not.

    Raises:
        UserInputError: There is no such file, or it cannot be read.
    """
    if not FileSystems.exists(path):
        raise UserInputError(f"{path}: no such file")
    if not is_remote(path) and not Path(path).is_file():
        raise UserInputError(f"{path}: not a file; a pipe goes to standard input, with - as FILE")
    try:
        file = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise UserInputError(f"{path}: cannot be read: {reason}") from error
    with file:
        yield cast(BinaryIO, file)


def _start(content: BinaryIO) -> bytes:
    # Damage is reported when the file is read, with more context.
    with contextlib.suppress(EOFError, gzip.BadGzipFile, zlib.error):
        return content.read(len(_IDX_START))
    return b""


def _read_idx(source: Source, shape: tuple[int, ...], advance: Advance) -> Iterator[Block]:
    header = find_images(source.path, shape)
    size = source.bytes or 0
    for block in read_images(header):
        # Within gzip data the images read so far are as good a measure as the bytes.
        advance(size * int(block.rows.numbers[-1]) // header.shape[0])
        yield Block(block.path, block.rows.as_float32())


def _read_csv(source: Source, shape: tuple[int, ...], advance: Advance) -> Iterator[Block]:
    with _open_csv(source) as (lines, position):
        blocks = read_line_blocks(lines, source.path)
        first, layout = find_layout(blocks, shape, source.path, source.drop_columns)
        read = 0
        for block in itertools.chain([first], blocks):
            read += len(block.data)
            advance(position() if position else read)
            yield parse_block(block, layout, source.path)


@contextlib.contextmanager
def _open_csv(source: Source) -> Iterator[tuple[BinaryIO, Callable[[], int] | None]]:
    """Yields the text's bytes, and what tells how many bytes of the file that took."""
    if source.bytes is not None:
        with open_file(source.path) as file, unzipped(file, source.path) as lines:
            yield lines, file.tell
        return
    # A pipe does not go back to its start, so its first bytes are peeked at.
    pipe = cast(io.BufferedReader, sys.stdin.buffer)
    if pipe.peek(len(GZIP)).startswith(GZIP):
        with gunzip(pipe, source.path) as lines:
            yield lines, None
    else:
        yield pipe, None
