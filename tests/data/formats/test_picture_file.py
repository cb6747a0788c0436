"""PNG and JPEG files as images to train on."""

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.formats.image_file import find_images_to_train
from data.formats.picture_file import class_labels, read_pictures
from data.formats.rows import Block
from pipeline_config import ImageData, UserInputError
from tests.data.formats.pictures import write_pictures

DATA = ImageData(height=6, width=5)


def blocks_of(paths: list[str], data: ImageData = DATA) -> list[Block]:
    readers = find_images_to_train(paths, data, class_labels(paths))
    return [block for read in readers for block in read()]


def test_pixels_labels_and_classes(tmp_path: Path) -> None:
    written = write_pictures(tmp_path, {"shoe": 2, "bag": 3})
    (block,) = [
        block
        for read in find_images_to_train(sorted(written), DATA, class_labels(sorted(written)))
        for block in read()
    ]
    rows = block.rows
    assert rows.numbers.tolist() == [1, 2, 3, 4, 5]
    assert (rows.values == np.stack([written[path] for path in sorted(written)])).all()
    assert rows.values.dtype == np.uint8
    assert rows.classes is not None
    assert rows.classes.tolist() == ["bag"] * 3 + ["shoe"] * 2
    assert rows.labels.tolist() == [0, 0, 0, 1, 1]


def test_folders_named_by_numbers_are_labels(tmp_path: Path) -> None:
    paths = sorted(write_pictures(tmp_path, {"7": 1, "10": 1}))
    assert class_labels(paths) == {"7": 7, "10": 10}
    assert class_labels([*paths, "x/none/1.png"]) == {"10": 0, "7": 1, "none": 2}


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "LA"])
def test_grey_is_grey_in_whatever_mode_it_is_saved(tmp_path: Path, mode: str) -> None:
    pixels = np.array([[0, 255], [255, 0]], np.uint8)
    (tmp_path / "a").mkdir()
    Image.fromarray(pixels).convert(mode).save(tmp_path / "a" / "1.png")
    (block,) = blocks_of([str(tmp_path / "a" / "1.png")], ImageData(height=2, width=2))
    assert (block.rows.values[0] == pixels).all()


def test_jpeg(tmp_path: Path) -> None:
    (path,) = write_pictures(tmp_path, {"a": 1}, suffix="JPG")
    (block,) = blocks_of([path])
    assert (block.rows.values[0] == np.asarray(Image.open(path))).all()


def test_pictures_come_in_parts_that_count_on(tmp_path: Path) -> None:
    paths = sorted(write_pictures(tmp_path, {"a": 7}))
    blocks = list(read_pictures(paths, (6, 5), {"a": 0}, first_number=4, block_pictures=3))
    assert [block.rows.numbers.tolist() for block in blocks] == [[4, 5, 6], [7, 8, 9], [10]]


def saved(mode: str, colour: object, size: tuple[int, int] = (5, 6), kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.new(mode, size, colour).save(content, kind)  # type: ignore[arg-type]
    return content.getvalue()


def noise() -> bytes:
    content = io.BytesIO()
    pixels = np.random.default_rng(2).integers(0, 256, (6, 5), dtype=np.uint8)
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "the file is empty"),
    "torn": (lambda: noise()[:-30], "the picture is damaged or ends early"),
    "torn header": (lambda: noise()[:20], "the picture is damaged or ends early"),
    "changed bytes": (
        lambda: noise()[:45] + b"\0\0\0" + noise()[48:],
        "the picture is damaged or ends early",
    ),
    "torn jpeg": (lambda: saved("L", 9, kind="JPEG")[:200], "damaged or ends early"),
    "text": (lambda: b"label,pixel1\n1,2\n", "the file is text, no PNG or JPEG picture"),
    "gif": (lambda: saved("L", 9, kind="GIF"), "the file is a GIF image, no PNG or JPEG"),
    "bytes": (lambda: bytes(range(256)), "the file is no PNG or JPEG picture"),
    "web page": (lambda: b"<html>", "the file is an HTML page, no PNG or JPEG picture"),
    "another size": (
        lambda: saved("L", 9, (4, 6)),
        "the picture is 6 x 4 pixels, others are 6 x 5: give all one size",
    ),
    "colour": (lambda: saved("RGB", (1, 2, 3)), "in colour, and grey is expected: save it in grey"),
    "transparent": (lambda: saved("RGBA", (1, 1, 1, 9)), "transparent pixels: save it without"),
    "16 bits": (lambda: saved("I;16", 999), "more than 8 bits a pixel"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_bad_picture_is_one_line_that_names_it(
    tmp_path: Path, content: Callable[[], bytes], message: str
) -> None:
    paths = sorted(write_pictures(tmp_path, {"a": 3}))
    Path(paths[1]).write_bytes(content())
    with pytest.raises(UserInputError) as raised:
        blocks_of(paths)
    line = str(raised.value)
    assert line.startswith(f"{paths[1]}: ")
    assert message in line
    assert len(line.splitlines()) == 1


def test_the_first_pictures_size_is_what_to_set(tmp_path: Path) -> None:
    paths = sorted(write_pictures(tmp_path, {"a": 3}, shape=(9, 7)))
    with pytest.raises(UserInputError, match=r"--set data\.height=9 --set data\.width=7"):
        find_images_to_train(paths, DATA, {"a": 0})


def test_files_of_several_formats(tmp_path: Path) -> None:
    paths = [*write_pictures(tmp_path, {"a": 1}), str(tmp_path / "train-images")]
    with pytest.raises(UserInputError, match="train-images is of another format"):
        find_images_to_train(paths, DATA, {"a": 0})


def test_memory_does_not_grow_with_the_pictures(tmp_path: Path) -> None:
    (path,) = write_pictures(tmp_path, {"a": 1}, shape=(100, 100))
    data = ImageData(height=100, width=100)

    def peak(pictures: int) -> int:
        paths = [path] * pictures
        tracemalloc.start()
        for read in find_images_to_train(paths, data, {"a": 0}):
            for block in read():
                del block
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(1)
    assert peak(20_000) < 1.5 * peak(200) + 1_000_000
