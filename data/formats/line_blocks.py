"""Text files in blocks of whole lines, so that memory does not grow with the file."""

import codecs
import dataclasses
from collections.abc import Iterator
from typing import BinaryIO

from data.formats.first_bytes import START_BYTES, foreign_format, idx_content
from data.formats.raw_file import BLOCK_BYTES
from pipeline_config import UserInputError

MAX_LINE_BYTES = 1 << 24


@dataclasses.dataclass(frozen=True)
class LineBlock:
    """Consecutive whole lines of a file, as they are in it.

    Attributes:
        first_line: Number of the first line in the file, from 1.
        data: The lines, each ended by a line feed except perhaps the file's last.
    """

    first_line: int
    data: bytes


def read_line_blocks(
    file: BinaryIO, path: str, block_bytes: int = BLOCK_BYTES, first_line: int = 1
) -> Iterator[LineBlock]:
    """Yields an open file's lines in file order, without a byte order mark.

    Args:
        file: Read to its end from its position, the start of a line; see `raw_file.unzipped`.
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
            _require_text(data, path)
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


def decode_lines(data: bytes) -> str | None:
    """Returns lines as text that end with LF, or None if one is wrong; see `line_fault`."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    return None if "\r" in text or "\0" in text else text


def line_fault(line: bytes) -> str | None:
    """Returns what is wrong with a line as such, or None if it is UTF-8 text.

    Args:
        line: Without its line end.
    """
    if b"\r" in line:
        return "lines end with CR alone: save the file with LF or CRLF line ends"
    if b"\0" in line or decode_lines(line) is None:
        return "not UTF-8 text: save the file as CSV (UTF-8)"
    return None


def _require_text(start: bytes, path: str) -> None:
    if what := foreign_format(start[:START_BYTES]):
        raise UserInputError(f"{path}: the file is {what}")
    if content := idx_content(start):
        raise UserInputError(f"{path}: the file is an IDX file ({content}), but CSV is read here")
