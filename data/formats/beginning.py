"""The first lines of a text file: what names its columns, and enough rows to judge them by."""

import dataclasses
import re
from collections.abc import Iterator, Sequence

from data.formats.chosen_columns import ChosenColumns
from data.formats.columns import LABEL_NAMES
from data.formats.content import MAX_LINE_BYTES, LineBlock
from data.formats.csv_layout import CsvLayout
from data.formats.preamble import (
    Preamble,
    begins_preamble,
    may_begin_preamble,
    read_preamble,
)
from data.formats.table import ROWS, Start, read_rows, read_start
from pipeline_config import UserInputError

_BLANK_LINES = re.compile(rb"(?:[ \t]*\r?\n)*")
_LINES_JUDGED = 2 * ROWS
"""Blank lines may come between rows."""

_ENOUGH_ROWS = 20
"""Rows that say what their columns are; a block of long ones has fewer."""


@dataclasses.dataclass(frozen=True)
class Beginning:
    """A file's first lines.

    Attributes:
        lines: Without blank ones above them; a row is among them if the file has any.
        start: What they hold.
        preamble: Of an ARFF or a .ts file.
    """

    lines: LineBlock
    start: Start
    preamble: Preamble | None = None

    @property
    def header_row(self) -> int:
        """Number of the last line above the rows; 0 if there is none."""
        if self.preamble:
            return self.lines.first_line + self.preamble.lines - 1
        return 0 if self.start.header is None else self.lines.first_line + self.start.header

    @property
    def header(self) -> bytes:
        """The line that names the columns; empty if no line does."""
        if self.start.header is None:
            return b""
        return self.lines.data.split(b"\n", self.start.header + 1)[self.start.header].rstrip(b"\r")

    def layout(self, shape: tuple[int, ...], columns: ChosenColumns) -> CsvLayout:
        """Returns the layout of the rows, all of whose channels are read."""
        preamble = self.preamble
        return CsvLayout(
            shape,
            self.start.separator,
            columns.label,
            header_row=self.header_row,
            header=self.header,
            dropped=columns.dropped,
            dimensions=preamble.dimensions if preamble and preamble.kind == "ts" else 0,
            comment=preamble.comment.encode() if preamble else b"",
        )


def read_beginning(blocks: Iterator[LineBlock], path: str, separator: str) -> Beginning:
    """Returns a file's first lines, with enough rows to judge its columns if it has as many.

    Args:
        blocks: The file's, from its start; no more are taken than it needs.
        path: The file, for messages.
        separator: As `SignalData.separator`.

    Raises:
        UserInputError: The lines are no table; the message says what they are.
    """
    first = LineBlock(1, b"")
    found = Beginning(first, read_start([], path))
    for block in blocks:
        number = first.first_line if first.data else block.first_line
        data = first.data + block.data
        blank = _BLANK_LINES.match(data)
        assert blank is not None, "it matches nothing too"
        first = LineBlock(number + blank[0].count(b"\n"), data[blank.end() :])
        text = _text(first)
        if begins_preamble(text):
            found = _below_preamble(first, text.split("\n"), path, separator)
        else:
            lines = text.split("\n", _LINES_JUDGED)[:_LINES_JUDGED]
            found = Beginning(first, read_start(lines, path, separator))
        rows = len(found.start.rows)
        if rows >= _ENOUGH_ROWS and not may_begin_preamble(text):
            break
        if len(first.data) > MAX_LINE_BYTES:
            if rows:
                break
            raise UserInputError(f"{path}: no row within {MAX_LINE_BYTES >> 20} MiB of its start")
    else:
        if found.lines.data and found.preamble is None and begins_preamble(_text(found.lines)):
            raise UserInputError(
                f"{path}: there is no @data line: the file ends early: copy or download it again"
            )
    return found


def label_is_named_in_front(start: Start) -> bool:
    """Returns whether a header gives the first column the name of a label."""
    return bool(start.names) and start.names[0].strip().lower() in LABEL_NAMES


def _text(lines: LineBlock) -> str:
    return lines.data.decode(errors="replace").replace("\r\n", "\n")


def _below_preamble(first: LineBlock, lines: Sequence[str], path: str, separator: str) -> Beginning:
    preamble = read_preamble(lines, path)
    if preamble is None:
        return Beginning(first, read_start([], path))
    below = lines[preamble.lines : preamble.lines + _LINES_JUDGED]
    rows = [line for line in below if not line.lstrip().startswith(preamble.comment)]
    if preamble.kind == "ts":
        rows, separator = [line.replace(":", ",") for line in rows], "comma"
    if any(line.lstrip().startswith("{") for line in rows[:1]):
        raise UserInputError(
            f"{path}: rows are sparse ({{place value, ...}}), which is not read: save the file "
            "dense (Weka: SparseToNonSparse)"
        )
    return Beginning(first, read_rows(rows, path, separator, preamble.names), preamble)
