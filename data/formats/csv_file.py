"""Text files: what their columns are, found in the first rows, and their rows to train on."""

import collections
import dataclasses
import functools
import itertools
import math
import re
from collections.abc import Iterator, Sequence

from data.formats.chosen_columns import ChosenColumns
from data.formats.columns import BINARY_LABELS, LABEL_NAMES
from data.formats.content import (
    BLOCK_BYTES,
    MAX_LINE_BYTES,
    LineBlock,
    line_text,
    open_content,
    read_line_blocks,
)
from data.formats.csv_rows import CsvLayout, parse_block
from data.formats.dimensions import class_columns, training_dimensions
from data.formats.labels import LabelRule, class_name
from data.formats.preamble import (
    Preamble,
    begins_preamble,
    may_begin_preamble,
    read_preamble,
)
from data.formats.row_channels import channels_in_rows, picked_channels
from data.formats.rows import Block
from data.formats.scoring_layout import scoring_columns
from data.formats.table import ROWS, Start, read_rows, read_start
from data.formats.training_layout import training_columns
from pipeline_config import ImageData, SignalData, UserInputError

IMAGE_LABELS = frozenset(map(float, range(10)))
"""Values of an image's label: ten classes."""

MOST_CLASSES = 100
"""More different labels than this are no classes."""

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


def read_csv(path: str, data: SignalData, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yields the rows of a text file to train on, with their labels and classes.

    Rows of several channels hold all channels of the first sample, then those of the next, as
    `array.reshape(len(array), -1)` of an array [rows, length, channels] has them; a .ts file has
    all samples of the first dimension, then those of the next.

    Args:
        path: A file on any file system that Beam supports; see `open_content`.
        data: What the settings say of the file.
        block_bytes: Bytes of text parsed at a time.

    Raises:
        UserInputError: The file has no rows, is not text, or most of its rows are not as
            expected; the message names file, row and column, and the setting that helps.
    """
    rows, classes = 0, set[str]()
    with open_content(path) as content:
        blocks = read_line_blocks(content, path, block_bytes)
        # What is no text has no columns to judge.
        judged = (_require_text(lines, path) for lines in blocks)
        beginning = read_beginning(judged, path, data.separator)
        layout = _training_layout(beginning, data, path)
        for lines in itertools.chain([beginning.lines], blocks):
            block = parse_block(lines, layout, path)
            rows += len(block.rows) + len(block.rejected)
            if block.rows.classes is not None:
                classes.update(block.rows.classes.tolist())
                _require_classes(classes, layout, data, path)
            if len(block.rows) or block.rejected:
                yield block
    if not rows:
        state = "has a header but no rows below it" if beginning.lines.data else "is empty"
        label = " and a label" if data.is_labelled else ""
        raise UserInputError(
            f"{path}: the file {state}: give a CSV with {data.length} samples{label} in each row"
        )


def text_facts(path: str, separator: str = "auto") -> tuple[str, str, bool]:
    """Returns a text file's format, what separates its cells, and whether a line names its columns.

    Args:
        path: A file on any file system that Beam supports.
        separator: Value of `data.separator`.

    Raises:
        UserInputError: The file is no text; see `read_csv`.
    """
    with open_content(path) as content:
        beginning = read_beginning(read_line_blocks(content, path), path, separator)
    preamble, start = beginning.preamble, beginning.start
    if preamble:
        return preamble.kind, start.separator.words, bool(preamble.names)
    return "text", start.separator.words, start.header is not None


def find_layout(
    blocks: Iterator[LineBlock],
    data: SignalData | ImageData,
    path: str,
    drop_columns: Sequence[int] = (),
) -> tuple[LineBlock, CsvLayout]:
    """Returns the first lines of a file to score, and the layout that most of them have.

    Args:
        blocks: The file's, from its start; no more are taken than the layout needs.
        data: How the files were read that the model was trained on.
        path: The file, for messages.
        drop_columns: Columns to leave out, from 0, instead of those of `data`.

    Raises:
        UserInputError: The columns are not values of one example with or without a label; see
            `scoring_columns`.
    """
    if isinstance(data, ImageData):
        return _find_image_layout(blocks, data, path, drop_columns)
    beginning = read_beginning(blocks, path, data.separator)
    start, preamble = beginning.start, beginning.preamble
    if preamble and preamble.kind == "ts":
        in_file = preamble.dimensions
        if not data.channel and in_file != data.channels:
            raise UserInputError(
                f"{path}: the file has {in_file} dimensions, but the model takes {data.channels}: "
                "name the model that goes with this file"
            )
        columns = class_columns(preamble, data)
    else:
        in_file = channels_in_rows(data, start.usual_count)
        length = data.length * in_file
        columns = scoring_columns(start, length, BINARY_LABELS, drop_columns, path, data)
    picked = picked_channels(data, in_file, path)
    layout = beginning.layout(data.shape, columns)
    return beginning.lines, dataclasses.replace(
        layout, channels=in_file if picked else 0, picked=picked
    )


def _find_image_layout(
    blocks: Iterator[LineBlock], data: ImageData, path: str, drop_columns: Sequence[int]
) -> tuple[LineBlock, CsvLayout]:
    beginning = read_beginning(blocks, path, "auto")
    pixels = math.prod(data.shape)
    in_front = not drop_columns and label_is_named_in_front(beginning.start)
    named = SignalData(label="first") if in_front else None
    columns = scoring_columns(beginning.start, pixels, IMAGE_LABELS, drop_columns, path, named)
    layout = beginning.layout(data.shape, columns)
    return beginning.lines, dataclasses.replace(layout, labels=IMAGE_LABELS)


def label_is_named_in_front(start: Start) -> bool:
    """Returns whether a header gives the first column the name of a label."""
    return bool(start.names) and start.names[0].strip().lower() in LABEL_NAMES


def _training_layout(beginning: Beginning, data: SignalData, path: str) -> CsvLayout:
    start, preamble = beginning.start, beginning.preamble
    if preamble and preamble.kind == "ts":
        in_file = preamble.dimensions
        columns = training_dimensions(preamble, start, data, path)
    else:
        in_file = channels_in_rows(data, start.usual_count)
        counter = functools.partial(_count_classes, beginning, path)
        columns = training_columns(start, data, in_file, path, counter)
    picked = picked_channels(data, in_file, path)
    return dataclasses.replace(
        beginning.layout(data.shape, columns),
        rule=LabelRule.from_data(data),
        channels=in_file if picked else 0,
        picked=picked,
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


def _count_classes(beginning: Beginning, path: str, place: int) -> dict[str, int]:
    """Returns how many rows of the whole file are of each class; needed for a message only."""
    counts: collections.Counter[str] = collections.Counter()
    separator, width = beginning.start.separator, beginning.start.usual_count
    with open_content(path) as content:
        for block in read_line_blocks(content, path):
            for number, line in block.lines():
                cells = separator.cells(line.decode(errors="replace"))
                if number > beginning.header_row and len(cells) == width:
                    counts[class_name(cells[place])] += 1
    del counts[""]
    return counts


def _require_classes(classes: set[str], layout: CsvLayout, data: SignalData, path: str) -> None:
    if len(classes) <= MOST_CLASSES:
        return
    some = ", ".join(sorted(classes - {""})[:3])
    drop = ",".join([*data.drop, str(layout.label)])
    raise UserInputError(
        f"{path}: the label (data.label={data.label}) has more than {MOST_CLASSES} different "
        f"values, such as {some}: these are no classes: --set data.label=none "
        f"--set data.drop={drop}"
    )


def _require_text(lines: LineBlock, path: str) -> LineBlock:
    for number, line in lines.lines():
        try:
            line_text(line)
        except ValueError as error:
            raise UserInputError(f"{path}, row {number}: {error}") from None
    return lines
