"""Keras' archives of arrays as images to train on."""

import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.formats.image_file import find_images_to_train, holds_both_splits
from data.formats.image_npz import ImageSplit
from data.formats.rows import Block
from pipeline_config import ImageData, UserInputError

DATA = ImageData(height=3, width=2)
PIXELS = np.arange(60, dtype=np.uint8).reshape(10, 3, 2)
LABELS = np.arange(10, dtype=np.uint8)
KERAS: dict[str, Any] = {
    "x_train": PIXELS[:7],
    "y_train": LABELS[:7],
    "x_test": PIXELS[7:],
    "y_test": LABELS[7:],
}


def blocks_of(path: Path, split: ImageSplit | None = None) -> list[Block]:
    readers = find_images_to_train([str(path)], DATA, {}, split)
    return [block for read in readers for block in read()]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16, ">i4"])
def test_the_arrays_of_a_split(tmp_path: Path, save: Any, dtype: Any) -> None:
    path = tmp_path / "mnist.npz"
    save(path, **{name: array.astype(dtype) for name, array in KERAS.items()})
    assert holds_both_splits([str(path)])
    for split, part in (("train", slice(None, 7)), ("eval", slice(7, None))):
        (block,) = blocks_of(path, split)  # type: ignore[arg-type]
        assert block.rows.values.dtype == np.uint8
        assert (block.rows.values == PIXELS[part]).all()
        assert block.rows.labels.tolist() == LABELS[part].tolist()
        assert block.rows.numbers[0] == 1
    assert sum(len(block.rows) for block in blocks_of(path)) == 10


def test_images_without_a_split_and_with_a_last_axis(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=PIXELS[..., None], y=LABELS[:, None])
    (block,) = blocks_of(tmp_path / "a.npz")
    assert (block.rows.values == PIXELS).all()
    assert block.rows.labels.tolist() == LABELS.tolist()
    assert not holds_both_splits([str(tmp_path / "a.npz")])


def test_a_file_a_split(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", x_train=PIXELS, y_train=LABELS)
    (block,) = blocks_of(tmp_path / "train.npz")
    assert len(block.rows) == 10


def changed(**arrays: Any) -> Callable[[Path], object]:
    kept = {name: array for name, array in (KERAS | arrays).items() if array is not None}
    return lambda path: np.savez(path, **kept)


def with_pixel(value: int) -> np.ndarray:
    pixels = PIXELS[7:].astype(np.int16)
    pixels[2, 1, 0] = value
    return pixels


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no y_test": (changed(y_test=None), "there is no array y_test, but x_train, y_train, x_test: "),
    "no x_test": (changed(x_test=None), "there is no array x_test"),
    "other names": (
        lambda path: np.savez(path, images=PIXELS),
        "there is no array x, but images: save images and their labels with numpy.savez",
    ),
    "above 255": (
        changed(x_test=with_pixel(300)),
        "array x_test, image 3, pixel [1, 0]: the value is 300, expected 0 to 255",
    ),
    "below 0": (changed(x_test=with_pixel(-1)), "array x_test, image 3, pixel [1, 0]: the value"),
    "0 to 1": (
        changed(x_test=PIXELS[7:] / 255),
        "pixels are float64 [3, 3, 2], expected whole numbers of 0 to 255: save them as uint8",
    ),
    "booleans": (changed(x_test=PIXELS[7:] > 9), "pixels are bool"),
    "objects": (changed(x_test=PIXELS[7:].astype(object)), "the array holds Python objects"),
    "object labels": (changed(y_test=LABELS[7:].astype(object)), "array y_test: the array holds"),
    "colour": (changed(x_test=np.zeros((3, 3, 2, 3), np.uint8)), "save the colours' mean"),
    "flat": (changed(x_test=PIXELS[7:].reshape(3, 6)), "save x.reshape(-1, 3, 2)"),
    "another size": (
        changed(x_test=PIXELS[7:].reshape(3, 2, 3)),
        "images are 2 x 3 pixels, but data.height=3 and data.width=2: "
        "--set data.height=2 --set data.width=3",
    ),
    "fewer labels": (changed(y_test=LABELS[8:]), "array y_test: 2 labels for 3 images"),
    "one-hot labels": (changed(y_test=np.eye(3)), "give one whole number an image"),
    "a label below 0": (
        changed(y_test=np.array([1, -1, 2])),
        "array y_test, image 2: the label is -1",
    ),
    "no images": (changed(x_test=PIXELS[:0], y_test=LABELS[:0]), "there are 0 images"),
    "no archive": (lambda path: path.write_bytes(b"label,pixel\n"), "damaged or ends"),
    "torn": (
        lambda path: (changed()(path), path.write_bytes(path.read_bytes()[:-40])),
        "damaged or ends early",
    ),
}


@pytest.mark.parametrize(("write", "message"), BAD.values(), ids=BAD)
def test_a_bad_archive_is_one_line_that_names_it(
    tmp_path: Path, write: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "mnist.npz"
    write(path)
    with pytest.raises(UserInputError) as raised:
        blocks_of(path, "eval")
    line = str(raised.value)
    assert line.startswith(str(path))
    assert message in line
    assert len(line.splitlines()) == 1


def test_damage_within_the_images_is_found(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, **KERAS)
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("x_test.npy").header_offset
    content = bytearray(path.read_bytes())
    content[place + 190] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserInputError, match="damaged"):
        blocks_of(path, "eval")


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    data = ImageData(height=50, width=50)

    def peak(images: int) -> int:
        path = tmp_path / f"{images}.npz"
        pixels = np.zeros((images, 50, 50), np.uint8)
        np.savez_compressed(path, x=pixels, y=np.zeros(images, np.uint8))
        del pixels
        tracemalloc.start()
        for read in find_images_to_train([str(path)], data, {}):
            for block in read():
                del block
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(10)
    assert peak(50_000) < 1.5 * peak(500) + 1_000_000
