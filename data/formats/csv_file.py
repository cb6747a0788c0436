"""CSV files: what their columns are, found in the first rows, and their rows to train on."""

import itertools
import math
import re
from collections.abc import Iterator, Sequence

from data.formats.columns import BINARY_LABELS
from data.formats.content import (
    BLOCK_BYTES,
    LineBlock,
    line_text,
    open_content,
    read_line_blocks,
)
from data.formats.csv_rows import CsvLayout, parse_block
from data.formats.layout import has_label, require_training_layout
from data.formats.rows import Block
from data.formats.table import ROWS, Start, read_start
from pipeline_config import SignalData, UserInputError

IMAGE_LABELS = frozenset(map(float, range(10)))
"""Values of an image's label: ten classes."""

_BLANK_LINES = re.compile(rb"(?:\r?\n)*")
_LINES_JUDGED = 2 * ROWS
"""Blank lines may come between rows."""


def read_csv(path: str, data: SignalData, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yields the rows of a CSV file to train on, with labels of 1 = normal and 0 = abnormal.

    Args:
        path: A file on any file system that Beam supports; see `open_content`.
        data: What the file holds.
        block_bytes: Bytes of text parsed at a time.

    Raises:
        UserInputError: The file has no rows, is not text, or most of its rows are not as
            expected; the message names file, row and column.
    """
    rows, length = 0, data.length
    with open_content(path) as content:
        blocks = read_line_blocks(content, path, block_bytes)
        # What is no text has no columns to judge.
        first, start = _read_beginning((_require_text(lines, path) for lines in blocks), path)
        require_training_layout(start, length, path)
        layout = CsvLayout(
            (length,), BINARY_LABELS, reads_labels=True, header_row=_header_row(first, start)
        )
        for lines in itertools.chain([first], blocks):
            block = parse_block(lines, layout, path)
            rows += len(block.rows) + len(block.rejected)
            if len(block.rows) or block.rejected:
                yield block
    if not rows:
        state = "has a header but no rows below it" if first.data else "is empty"
        raise UserInputError(
            f"{path}: the file {state}: give a CSV with {length} samples and a label in each row"
        )


def find_layout(
    blocks: Iterator[LineBlock],
    shape: tuple[int, ...],
    path: str,
    drop_columns: Sequence[int] = (),
) -> tuple[LineBlock, CsvLayout]:
    """Returns the first lines of a file to score, and the layout that most of them have.

    Args:
        blocks: The file's, from its start; no more are taken than the layout needs.
        shape: Shape of one example.
        path: The file, for messages.
        drop_columns: Columns to leave out, from 0.

    Raises:
        UserInputError: The columns are not values of one example with or without a label behind
            them; see `has_label`.
    """
    first, start = _read_beginning(blocks, path)
    values = BINARY_LABELS if len(shape) == 1 else IMAGE_LABELS
    labelled = has_label(start, math.prod(shape), values, drop_columns, path)
    return first, CsvLayout(
        shape,
        values if labelled else None,
        header_row=_header_row(first, start),
        dropped=tuple(sorted(set(drop_columns))),
    )


def _read_beginning(blocks: Iterator[LineBlock], path: str) -> tuple[LineBlock, Start]:
    """Returns a file's first lines without blank ones above them; a row is among them if any is."""
    first, start = LineBlock(1, b""), read_start([], path)
    for block in blocks:
        number = first.first_line if first.data else block.first_line
        data = first.data + block.data
        blank = _BLANK_LINES.match(data)
        assert blank is not None, "it matches nothing too"
        first = LineBlock(number + blank[0].count(b"\n"), data[blank.end() :])
        text = first.data.decode(errors="replace").replace("\r\n", "\n")
        start = read_start(text.split("\n", _LINES_JUDGED)[:_LINES_JUDGED], path)
        if start.rows:
            break
    return first, start


def _header_row(first: LineBlock, start: Start) -> int:
    return 0 if start.header is None else first.first_line + start.header


def _require_text(lines: LineBlock, path: str) -> LineBlock:
    for number, line in lines.lines():
        try:
            line_text(line)
        except ValueError as error:
            raise UserInputError(f"{path}, row {number}: {error}") from None
    return lines
