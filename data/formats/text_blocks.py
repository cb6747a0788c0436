"""Text files read in blocks of whole lines, so that memory does not grow with the file."""

import codecs
import contextlib
import dataclasses
import gzip
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from data.formats.first_bytes import GZIP, START_BYTES, foreign_format, idx_content
from pipeline_config import UserInputError

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 24


@dataclasses.dataclass(frozen=True)
class TextBlock:
    """Consecutive whole lines of a file.

    Attributes:
        first_line: Number of the first line in the file, from 1.
        text: The lines, each ended by a line feed except perhaps the file's last.
    """

    first_line: int
    text: str


@dataclasses.dataclass(frozen=True)
class LineBlock:
    """Consecutive whole lines of a file, as they lie in it.

    Attributes:
        first_line: Number of the first line in the file, from 1.
        data: The lines, each ended by a line feed except perhaps the file's last.
    """

    first_line: int
    data: bytes


def read_text_blocks(path: str, block_bytes: int = BLOCK_BYTES) -> Iterator[TextBlock]:
    """Yields a text file's lines in file order, without a byte order mark and carriage returns.

    Args:
        path: A file on any file system that Beam knows, gzip-compressed (whatever its name) or not.
        block_bytes: Bytes read at a time, after decompression.

    Raises:
        UserInputError: The gzip data is damaged or ends early, the bytes are those of another
            format or not UTF-8 text, or there are no line ends.
    """
    # Beam would go by the name; users rename files.
    with (
        FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file,
        unzipped(file) as lines,
    ):
        for block in read_line_blocks(lines, path, block_bytes):
            text = _decode(block.data, path, block.first_line)
            yield TextBlock(block.first_line, text)


def read_line_blocks(
    file: BinaryIO, path: str, block_bytes: int = BLOCK_BYTES, first_line: int = 1
) -> Iterator[LineBlock]:
    """Yields an open file's lines in file order, without a byte order mark.

    Args:
        file: Read to its end from where it stands, the start of a line; see `unzipped`.
        path: What messages call it.
        block_bytes: Bytes read at a time, after decompression.
        first_line: Number of the line that the file stands at.

    Raises:
        UserInputError: The gzip data is damaged or ends early, the first bytes are those of another
            format, or there are no line ends.
    """
    rest = b""
    for chunk in _chunks(file, path, block_bytes):
        data = rest + chunk
        if first_line == 1 and not rest:
            require_text(data, path)
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


def require_text(start: bytes, path: str) -> None:
    """Checks a file's first bytes.

    Raises:
        UserInputError: They are those of another format than CSV.
    """
    if what := foreign_format(start[:START_BYTES]):
        raise UserInputError(f"{path}: the file is {what}")
    if content := idx_content(start):
        raise UserInputError(f"{path}: the file is an IDX file ({content}), but CSV is read here")


@contextlib.contextmanager
def unzipped(file: BinaryIO) -> Iterator[BinaryIO]:
    """Yields a file itself, or what it holds where its content is gzip-compressed.

    Args:
        file: At its start, and seekable.
    """
    is_gzip = file.read(len(GZIP)) == GZIP
    file.seek(0)
    if not is_gzip:
        yield file
        return
    with gzip.GzipFile(fileobj=file) as content:
        yield cast(BinaryIO, content)


def _chunks(file: BinaryIO, path: str, block_bytes: int) -> Iterator[bytes]:
    try:
        while chunk := file.read(block_bytes):
            yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserInputError(
            f"{path}: the gzip data is damaged or ends early: copy or download the file again"
        ) from error


def _decode(data: bytes, path: str, first_line: int) -> str:
    try:
        text = data.decode("utf-8")
        bad = text.find("\0")
    except UnicodeDecodeError as error:
        bad = error.start
    if bad >= 0:
        row = first_line + data.count(b"\n", 0, bad)
        raise UserInputError(f"{path}, row {row}: not UTF-8 text: save the file as CSV (UTF-8)")
    text = text.replace("\r\n", "\n")
    if "\r" in text:
        row = first_line + text.count("\n", 0, text.index("\r"))
        raise UserInputError(
            f"{path}, row {row}: lines end with CR alone: save the file with LF or CRLF line ends"
        )
    return text
