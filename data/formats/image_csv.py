"""Images in text files, as Kaggle has them: in each row a label, then height x width pixels."""

import dataclasses
import itertools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from data.formats.beginning import label_is_named_in_front, read_beginning
from data.formats.chosen_columns import ChosenColumns
from data.formats.columns import LABEL_NAMES, shown
from data.formats.content import BLOCK_BYTES, open_content, read_line_blocks
from data.formats.csv_rows import parse_block
from data.formats.labels import LabelRule
from data.formats.rows import Block, Rows, accepted
from data.formats.table import Start
from pipeline_config import UserInputError

_BRIGHTEST = 255
_MOST_LABELS_DIGITS = 9


def read_image_rows(
    path: str, shape: tuple[int, int], block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Yields the images of a text file in its order, uint8 [n, height, width], with their labels.

    Args:
        path: On any file system that Beam supports; gzip or not, with or without a header.
        shape: Configured (height, width) of an image.
        block_bytes: Bytes of text parsed at a time.

    Raises:
        UserInputError: Rows are not a label and pixels of 0 to 255; the message names file, row
            and column.
    """
    rows = 0
    with open_content(path) as content:
        blocks = read_line_blocks(content, path, block_bytes)
        beginning = read_beginning(blocks, path, "auto")
        label = _label_place(beginning.start, shape, path)
        layout = beginning.layout(shape, ChosenColumns(label))
        # No class is normal: of an image, the class itself is the label.
        layout = dataclasses.replace(layout, rule=LabelRule.of(()))
        parsed = (
            parse_block(lines, layout, path) for lines in itertools.chain([beginning.lines], blocks)
        )
        for block in accepted(parsed):
            rows += len(block.rows)
            if len(block.rows):
                yield Block(path, _images(block, first_pixel=int(label == 0)))
    if not rows:
        raise UserInputError(
            f"{path}: there are no rows in it: give a label and {math.prod(shape)} pixels in each"
        )


def _label_place(start: Start, shape: tuple[int, int], path: str) -> int:
    pixels, found = math.prod(shape), start.usual_count
    if found in (0, pixels + 1):
        is_last = bool(start.names) and start.names[-1].strip().lower() in LABEL_NAMES
        return pixels if is_last and not label_is_named_in_front(start) else 0
    expected = f"{shape[0]} x {shape[1]} pixels (data.height, data.width)"
    if found == pixels:
        raise UserInputError(
            f"{path}: each row has {found} values, {expected} and no label: put the label in front"
        )
    side = math.isqrt(found - 1)
    remedy = (
        f"--set data.height={side} --set data.width={side}"
        if side**2 == found - 1
        else "give a label and the pixels of one image in each row"
    )
    raise UserInputError(
        f"{path}: each row has {found} values, expected a label and {expected}: {remedy}"
    )


def _images(block: Block, *, first_pixel: int) -> Rows:
    rows = block.rows
    values = rows.values
    wrong = (values != np.floor(values)) | (values < 0) | (values > _BRIGHTEST)
    if wrong.any():
        row, pixel = (int(axis[0]) for axis in wrong.reshape(len(rows), -1).nonzero())
        value = float(values[row].flat[pixel])
        remedy = "multiply pixels of 0 to 1 by 255" if 0 < value < 1 else "save 8 bits a pixel"
        raise UserInputError(
            f"{block.path}, row {rows.numbers[row]}, column {pixel + first_pixel + 1}: the pixel "
            f"is {value:g}, expected a whole number of 0 to {_BRIGHTEST}: {remedy}"
        )
    assert rows.classes is not None, "the layout has a rule"
    labels = _labels(rows.classes, rows.numbers, block.path)
    return Rows(rows.numbers, values.astype(np.uint8), labels)


def _labels(
    names: npt.NDArray[np.str_], numbers: npt.NDArray[np.int64], path: str
) -> npt.NDArray[np.int64]:
    found, places = np.unique(names, return_inverse=True)
    for place, name in enumerate(found.tolist()):
        if not (name.isascii() and name.isdigit() and len(name) <= _MOST_LABELS_DIGITS):
            row = numbers[int((places == place).argmax())]
            what = f"the label is {shown(name)}" if name else "the label is missing"
            raise UserInputError(f"{path}, row {row}: {what}: labels are 0, 1, 2 and so on")
    return found.astype(np.int64)[places]
