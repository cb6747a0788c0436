"""Kaggle's text files as images to train on and to score."""

import gzip
import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from data.formats.content import read_line_blocks
from data.formats.csv_file import find_layout
from data.formats.csv_rows import parse_block
from data.formats.image_file import find_images_to_train
from data.formats.rows import Block
from pipeline_config import ImageData, UserInputError

DATA = ImageData(height=4, width=3)
PIXELS = np.random.default_rng(1).integers(0, 256, (30, 12), dtype=np.uint8)
LABELS = np.arange(30) % 10
NAMES = [f"pixel{number}" for number in range(1, 13)]


def text(
    *, header: bool = True, last: bool = False, separator: str = ",", **cells: object
) -> bytes:
    """The file; `cells` are changed ones by row and column, such as r2c3, from 0."""
    table = [[int(label), *map(int, row)] for label, row in zip(LABELS, PIXELS, strict=True)]
    lines: list[list[object]] = [["label", *NAMES], *table] if header else [*table]
    for place, value in cells.items():
        row, column = map(int, place[1:].split("c"))
        if value is None:
            del lines[row][column]
        else:
            lines[row][column] = value
    if last:
        lines = [[*line[1:], line[0]] for line in lines]
    return "".join(separator.join(map(str, line)) + "\n" for line in lines).encode()


def blocks_of(path: Path, data: ImageData = DATA) -> list[Block]:
    readers = find_images_to_train([str(path)], data, {})
    return [block for read in readers for block in read()]


@pytest.mark.parametrize(
    ("content", "first_row"),
    [
        (text(), 2),
        (text(header=False), 1),
        (text(last=True), 2),
        (text(separator=";"), 2),
        (gzip.compress(text()), 2),
        (text().replace(b"\n", b"\r\n"), 2),
    ],
    ids=["kaggle", "no header", "label last", "semicolons", "gzip", "crlf"],
)
def test_pixels_and_labels(tmp_path: Path, content: bytes, first_row: int) -> None:
    path = tmp_path / "fashion-mnist_train.csv"
    path.write_bytes(content)
    (block,) = blocks_of(path)
    assert block.rows.values.dtype == np.uint8
    assert (block.rows.values == PIXELS.reshape(30, 4, 3)).all()
    assert block.rows.labels.tolist() == LABELS.tolist()
    assert block.rows.numbers[0] == first_row


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "there are no rows in it: give a label and 12 pixels in each"),
    "header alone": (text()[:100].split(b"\n")[0] + b"\n", "there are no rows in it"),
    "a pixel missing": (text(r5c4=None), "row 6: 12 values, expected 13"),
    "a pixel empty": (text(r5c4=""), "row 6, column 5: the cell is empty"),
    "above 255": (text(r5c4=256), "row 6, column 5: the pixel is 256, expected a whole number"),
    "below 0": (text(r5c12=-3), "row 6, column 13: the pixel is -3, expected a whole number"),
    "0 to 1": (text(r5c4=0.5), "row 6, column 5: the pixel is 0.5, expected a whole number of 0 "),
    "text": (text(r5c4="x"), "row 6, column 5: 'x' is not a number"),
    "a label missing": (text(r5c0=""), "row 6: the label is missing"),
    "a named label": (text(r5c0="shoe"), "row 6: the label is 'shoe': labels are 0, 1, 2"),
    "a label below 0": (text(r5c0=-1), "row 6: the label is '-1'"),
    "no labels": (
        b"".join(line.split(b",", 1)[1] + b"\n" for line in text().splitlines()),
        "each row has 12 values, 4 x 3 pixels (data.height, data.width) and no label",
    ),
    "another format": (b"\x89PNG\r\n\x1a\n", "a PNG image"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_line_that_names_it(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    with pytest.raises(UserInputError) as raised:
        blocks_of(path)
    line = str(raised.value)
    assert line.startswith(str(path))
    assert message in line
    assert len(line.splitlines()) == 1


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((28, 28), "give a label and the pixels of one image in each row"),
        ((3, 3), "give a label and the pixels"),
    ],
)
def test_another_size(tmp_path: Path, shape: tuple[int, int], remedy: str) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(text())
    with pytest.raises(UserInputError, match=f"each row has 13 values, expected .*: {remedy}"):
        blocks_of(path, ImageData(height=shape[0], width=shape[1]))


def test_a_square_size_is_what_to_set(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("label,a,b,c,d\n" + "1,2,3,4,5\n" * 20)
    with pytest.raises(UserInputError, match=r"--set data\.height=2 --set data\.width=2$"):
        blocks_of(path)


def test_the_same_file_is_scored(tmp_path: Path) -> None:
    blocks = read_line_blocks(io.BytesIO(text()), "train.csv")
    first, layout = find_layout(blocks, DATA, "train.csv")
    block = parse_block(first, layout, "train.csv")
    assert (block.rows.values == PIXELS.reshape(30, 4, 3)).all()
    assert not block.rejected


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def peak(copies: int) -> int:
        path = tmp_path / f"{copies}.csv"
        with path.open("wb") as file:
            for _ in range(copies):
                file.write(text(header=False) * 10)
        tracemalloc.start()
        for read in find_images_to_train([str(path)], DATA, {}):
            for block in read():
                del block
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(1)
    assert peak(500) < 1.5 * peak(100) + 1_000_000
