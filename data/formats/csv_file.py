"""Text files: what their columns are, found in the first rows, and their rows to train on."""

import collections
import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Sequence

from data.formats.beginning import Beginning, label_is_named_in_front, read_beginning
from data.formats.columns import BINARY_LABELS
from data.formats.content import (
    BLOCK_BYTES,
    LineBlock,
    line_text,
    open_content,
    read_line_blocks,
)
from data.formats.csv_layout import CsvLayout
from data.formats.csv_rows import parse_block
from data.formats.dimensions import class_columns, training_dimensions
from data.formats.labels import LabelRule, class_name
from data.formats.row_channels import channels_in_rows, picked_channels
from data.formats.rows import Block
from data.formats.scoring_layout import scoring_columns
from data.formats.training_layout import training_columns
from pipeline_config import ImageData, SignalData, UserInputError

IMAGE_LABELS = frozenset(map(float, range(10)))
"""Values of an image's label: ten classes."""

MOST_CLASSES = 100
"""More different labels than this are no classes."""


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
