"""A file cut into ranges that Beam's workers read side by side."""

import dataclasses
from collections.abc import Iterator
from typing import BinaryIO, cast

from data.formats.line_blocks import MAX_LINE_BYTES, LineBlock, read_line_blocks
from data.formats.raw_file import BLOCK_BYTES, unzipped
from pipeline.scoring.source import Source, open_file

RANGE_BYTES = 32 << 20


@dataclasses.dataclass(frozen=True)
class FileRange:
    """A part of a file.

    Attributes:
        index: Its place among the ranges of the file.
        start: First byte of a CSV, or first item, from 0, of an IDX file.
        stop: The byte or item after the last; None for the rest, whatever its length.
    """

    index: int
    start: int
    stop: int | None


def cut(source: Source, units: int, unit_bytes: int, range_bytes: int) -> list[FileRange]:
    """Returns ranges of about `range_bytes` that cover a file.

    Args:
        source: The file. Gzip data has no middle to start from, so it is one range, and its rows
            are spread over the workers once they are read.
        units: How many bytes, or items, there are.
        unit_bytes: Bytes of one of them.
        range_bytes: Bytes of a range.
    """
    if source.is_gzip:
        return [FileRange(0, 0, None)]
    step = max(1, range_bytes // unit_bytes)
    starts = range(0, max(units, 1), step)
    ends = [*starts[1:], None]
    return [
        FileRange(index, start, end)
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def count_lines(source: Source, part: FileRange) -> int:
    """Returns how many lines of a CSV begin within a range, that is not the file's last."""
    begins_before = int(part.start == 0)
    first = max(part.start - 1, 0)
    left = (part.stop or 0) - 1 - first
    with open_file(source.path) as file:
        file.seek(first)
        count = begins_before
        while left > 0 and (data := file.read(min(left, BLOCK_BYTES))):
            count += data.count(b"\n")
            left -= len(data)
    return count


def read_lines(source: Source, part: FileRange, first_line: int) -> Iterator[LineBlock]:
    """Yields the lines of a CSV that begin within a range.

    Args:
        source: The file.
        part: Which of its bytes.
        first_line: Number of the first line that begins there.

    Raises:
        UserInputError: See `read_line_blocks`.
    """
    with open_file(source.path) as file:
        if source.is_gzip:
            with unzipped(file, source.path) as lines:
                yield from read_line_blocks(lines, source.path)
            return
        if part.start:
            file.seek(part.start - 1)
            file.readline(MAX_LINE_BYTES)
        lines = cast(BinaryIO, _LinesUntil(file, part.stop))
        yield from read_line_blocks(lines, source.path, first_line=first_line)


class _LinesUntil:
    """Reads on from where a file stands, until the end of the line that reaches `stop`."""

    def __init__(self, file: BinaryIO, stop: int | None) -> None:
        self._file = file
        self._position = file.tell()
        self._stop = stop

    def read(self, size: int) -> bytes:
        if self._stop is None:
            return self._file.read(size)
        left = self._stop - self._position
        if left <= 0:
            return b""
        data = self._file.read(min(size, left))
        if len(data) == left and not data.endswith(b"\n"):
            data += self._file.readline(MAX_LINE_BYTES + 1)
        self._position += len(data)
        return data
