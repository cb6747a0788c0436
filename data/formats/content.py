"""Content of raw files: decompressed if they are gzip, and as text in blocks of whole lines.

Files lie on any file system that Beam supports; memory does not grow with them.
"""

import codecs
import contextlib
import dataclasses
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from data.formats.first_bytes import GZIP, START_BYTES, foreign_format, idx_content
from pipeline_config import UserInputError

BLOCK_BYTES = 1 << 20
"""Bytes of content that are read and parsed at a time."""

MAX_LINE_BYTES = 1 << 24


@contextlib.contextmanager
def open_content(path: str) -> Iterator[BinaryIO]:
    """Opens a file, decompressed if its content is gzip, whatever its name.

    Raises:
        UserInputError: The gzip data is damaged or ends early.
    """
    with open_file(path) as file, unzipped(file, path) as content:
        yield content


def open_file(path: str) -> BinaryIO:
    """Opens a file as it lies on its file system, compressed or not."""
    if "://" not in path:
        return Path(path).open("rb")
    # It takes seconds to import, which whoever reads files of this machine is spared.
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    # Beam would go by the name; users rename files.
    file = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return cast(BinaryIO, file)


@dataclasses.dataclass(frozen=True)
class FileStart:
    """The start of a file.

    Attributes:
        content: The first `START_BYTES` of its content, decompressed; nothing if that fails.
        is_gzip: Whether the file is compressed with gzip.
    """

    content: bytes
    is_gzip: bool


def read_start(path: str) -> FileStart:
    """Returns what a file begins with; damage is left to whoever reads it all."""
    with open_file(path) as file:
        is_gzip = file.read(len(GZIP)) == GZIP
        file.seek(0)
        content = b""
        with contextlib.suppress(UserInputError), unzipped(file, path) as opened:
            content = opened.read(START_BYTES)
    return FileStart(content, is_gzip)


@contextlib.contextmanager
def unzipped(file: BinaryIO, path: str) -> Iterator[BinaryIO]:
    """Yields a file itself, or its decompressed content if that is gzip.

    Args:
        file: At its start, and seekable.
        path: Its name in messages.

    Raises:
        UserInputError: The gzip data is damaged or ends early.
    """
    is_gzip = file.read(len(GZIP)) == GZIP
    file.seek(0)
    with gunzip(file, path) if is_gzip else contextlib.nullcontext(file) as content:
        yield content


@contextlib.contextmanager
def gunzip(file: BinaryIO, path: str) -> Iterator[BinaryIO]:
    """Yields the content of a gzip-compressed file, which need not be seekable.

    Raises:
        UserInputError: The gzip data is damaged or ends early.
    """
    try:
        with gzip.GzipFile(fileobj=file) as content:
            yield cast(BinaryIO, content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserInputError(
            f"{path}: the gzip data is damaged or ends early: copy or download the file again"
        ) from error


@dataclasses.dataclass(frozen=True)
class LineBlock:
    """Consecutive whole lines of a file, as they are in it.

    Attributes:
        first_line: Number of the first line in the file, from 1.
        data: The lines, each ended by a line feed except perhaps the file's last.
    """

    first_line: int
    data: bytes

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yields number and content, without its line end, of each line that is not blank."""
        for number, ended in enumerate(self.data.split(b"\n"), start=self.first_line):
            line = ended.removesuffix(b"\r")
            if line and not line.isspace():
                yield number, line


def read_line_blocks(
    file: BinaryIO, path: str, block_bytes: int = BLOCK_BYTES, first_line: int = 1
) -> Iterator[LineBlock]:
    """Yields an open file's lines in file order, without a byte order mark.

    Args:
        file: Read to its end from its position, the start of a line; see `unzipped`.
        path: Its name in messages.
        block_bytes: Bytes read at a time, after decompression.
        first_line: Number of the line at the file's position.

    Raises:
        UserInputError: The first bytes are those of another format, or there are no line ends.
    """
    rest = b""
    while chunk := file.read(block_bytes):
        data = rest + chunk
        if first_line == 1 and not rest:
            _require_csv(data, path)
            data = data.removeprefix(codecs.BOM_UTF8)
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        if len(rest) > MAX_LINE_BYTES:
            raise UserInputError(
                f"{path}, row {first_line}: no line end within {MAX_LINE_BYTES >> 20} MiB: "
                "give a CSV file with one example a row"
            )
        if end:
            yield LineBlock(first_line, data[:end])
            first_line += data.count(b"\n", 0, end)
    if rest:
        yield LineBlock(first_line, rest)


def line_text(line: bytes) -> str:
    """Returns a line as text.

    Args:
        line: Without its line end.

    Raises:
        ValueError: It is not UTF-8 text; the message says so to a user.
    """
    if b"\r" in line:
        raise ValueError("lines end with CR alone: save the file with LF or CRLF line ends")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ValueError("not UTF-8 text: save the file as CSV (UTF-8)")
    return text


def _require_csv(start: bytes, path: str) -> None:
    if what := foreign_format(start[:START_BYTES]):
        raise UserInputError(f"{path}: the file is {what}")
    if content := idx_content(start):
        raise UserInputError(f"{path}: the file is an IDX file ({content}), but CSV is read here")
