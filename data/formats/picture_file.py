"""PNG and JPEG files of grey pictures, one sub-folder a class.

Pillow decodes them; a picture of another size is refused by its header, before it is decoded.
"""

import functools
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from data.formats.content import BLOCK_BYTES, open_file
from data.formats.first_bytes import START_BYTES, foreign_format
from data.formats.rows import Block, Rows
from pipeline_config import UserInputError

_Value = TypeVar("_Value")

_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff")
_MOST_A_BLOCK = 1024
_OPAQUE = 255


def is_picture(start: bytes) -> bool:
    """Returns whether a file is a PNG or JPEG picture, by its first bytes."""
    return start.startswith(_SIGNATURES)


def class_of(path: str) -> str:
    """Returns the name of a picture's class, that of its folder."""
    return PurePosixPath(path).parent.name


def class_labels(paths: Sequence[str]) -> dict[str, int]:
    """Returns the label of each class of some pictures.

    >>> class_labels(["train/shoe/1.png", "train/bag/1.png"]), class_labels(["7/a.png"])
    ({'bag': 0, 'shoe': 1}, {'7': 7})

    Returns:
        Class name -> its number if all are numbers, else its place among the sorted names.
    """
    names = sorted({class_of(path) for path in paths})
    if all(name.isascii() and name.isdigit() for name in names):
        return {name: int(name) for name in names}
    return {name: place for place, name in enumerate(names)}


def find_pictures(
    paths: Sequence[str], shape: tuple[int, int], labels: Mapping[str, int]
) -> list[Callable[[], Iterator[Block]]]:
    """Returns readers of some pictures, each of a part of them; see `read_pictures`.

    Args:
        paths: At least one, on any file system that Beam supports.
        shape: Configured (height, width) of a picture.
        labels: From `class_labels`.

    Raises:
        UserInputError: The first picture is damaged or of another size.
    """
    height, width = picture_size(paths[0])
    if (height, width) != shape:
        raise UserInputError(
            f"{paths[0]}: the picture is {height} x {width} pixels, but data.height={shape[0]} and "
            f"data.width={shape[1]}: --set data.height={height} --set data.width={width}"
        )
    count = max(1, min(_MOST_A_BLOCK, BLOCK_BYTES // (height * width)))
    return [
        functools.partial(read_pictures, paths[first : first + count], shape, labels, first + 1)
        for first in range(0, len(paths), count)
    ]


def read_pictures(
    paths: Sequence[str],
    shape: tuple[int, int],
    labels: Mapping[str, int],
    first_number: int = 1,
    block_pictures: int = _MOST_A_BLOCK,
) -> Iterator[Block]:
    """Yields pictures in the order of their paths, uint8 [n, height, width], with their classes.

    Args:
        paths: Of the pictures, each in the folder of its class.
        shape: (height, width) of each.
        labels: Class name -> label.
        first_number: Number of the first picture.
        block_pictures: Pictures a block.

    Raises:
        UserInputError: A picture is damaged, of another size, or not grey.
    """
    for start in range(0, len(paths), block_pictures):
        of_block = paths[start : start + block_pictures]
        values = np.stack([read_picture(path, shape) for path in of_block])
        classes = np.array([class_of(path) for path in of_block], dtype=np.str_)
        numbers = np.arange(first_number + start, first_number + start + len(of_block))
        known = np.array([labels[name] for name in classes.tolist()], np.int64)
        folder = str(PurePosixPath(of_block[0]).parent)
        yield Block(folder, Rows(numbers.astype(np.int64), values, known, classes))


def picture_size(path: str) -> tuple[int, int]:
    """Returns (height, width) of a picture in pixels.

    Raises:
        UserInputError: The file is no picture, or damaged.
    """
    return _decoded(path, lambda picture: (picture.height, picture.width))


def read_picture(path: str, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Returns the grey pixels of a picture, uint8 [height, width], 0 black to 255 white.

    Args:
        path: On any file system that Beam supports.
        shape: (height, width) that it must have.

    Raises:
        UserInputError: The file is no picture, damaged, of another size, or not grey.
    """

    def pixels(picture: Image.Image) -> npt.NDArray[np.uint8]:
        found = (picture.height, picture.width)
        if found != shape:
            raise UserInputError(
                f"{path}: the picture is {found[0]} x {found[1]} pixels, others are {shape[0]} x "
                f"{shape[1]}: give all one size, that of data.height and data.width"
            )
        return _grey(picture, path)

    return _decoded(path, pixels)


def _decoded(path: str, use: Callable[[Image.Image], _Value]) -> _Value:
    with open_file(path) as file:
        start = file.read(START_BYTES)
        file.seek(0)
        try:
            with Image.open(file, formats=("PNG", "JPEG")) as picture:
                return use(picture)
        except UserInputError:
            raise
        except (
            UnidentifiedImageError,
            OSError,
            SyntaxError,
            ValueError,
            struct.error,
            Image.DecompressionBombError,
        ) as error:
            raise UserInputError(f"{path}: {_fault(start)}") from error


def _fault(start: bytes) -> str:
    if not start:
        return "the file is empty: copy or download it again"
    if start.startswith(_SIGNATURES):
        return "the picture is damaged or ends early: copy or download it again"
    kind = foreign_format(start) or ("text" if start.isascii() and b"\0" not in start else "")
    what = f"the file is {kind.partition(':')[0]}, " if kind else "the file is "
    return f"{what}no PNG or JPEG picture: give one, or take the file out"


def _grey(picture: Image.Image, path: str) -> npt.NDArray[np.uint8]:
    if picture.mode.startswith("I") or picture.mode == "F":
        raise UserInputError(
            f"{path}: the picture has more than 8 bits a pixel, and pixels are expected to be 0 to "
            "255: save it with 8 bits"
        )
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L"), dtype=np.uint8)
    # Many programs save grey pictures with three equal channels, and an alpha channel.
    channels = np.asarray(picture.convert("RGBA"), dtype=np.uint8)
    if (channels[..., 3] != _OPAQUE).any():
        raise UserInputError(
            f"{path}: the picture has transparent pixels: save it without transparency"
        )
    red, green, blue = (channels[..., place] for place in range(3))
    if (red != green).any() or (red != blue).any():
        raise UserInputError(
            f"{path}: the picture is in colour, and grey is expected: save it in grey (Pillow: "
            "Image.open(path).convert('L').save(path))"
        )
    return red.copy()
