"""Images in an archive of NumPy arrays, named as in Keras' own data sets.

`x_train`, `y_train`, `x_test` and `y_test` are two splits; `x` and `y` are images without a split.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from data.formats.content import BLOCK_BYTES
from data.formats.npy_array import ArrayHeader, read_header, read_items
from data.formats.rows import Block, Rows, no_labels
from data.formats.zipped_arrays import array_names, open_array
from pipeline_config import UserInputError

ImageSplit = Literal["train", "eval"]

_OF_SPLIT: dict[ImageSplit, tuple[str, str]] = {
    "train": ("x_train", "y_train"),
    "eval": ("x_test", "y_test"),
}
_WITHOUT_SPLIT = ("x", "y")
_BRIGHTEST = 255


def has_splits(path: str) -> bool:
    """Returns whether an archive has arrays of a training and a test split.

    Raises:
        UserInputError: The archive is damaged.
    """
    return not {name for name, _ in _OF_SPLIT.values()}.isdisjoint(array_names(path))


def find_npz_images(
    path: str, shape: tuple[int, int], split: ImageSplit | None = None
) -> list[Callable[[], Iterator[Block]]]:
    """Returns readers of an archive's images; see `read_npz_images`.

    Args:
        path: On any file system that Beam supports.
        shape: Configured (height, width) of an image.
        split: Which images; None for all.

    Raises:
        UserInputError: The archive is damaged, lacks an array, or one has another type or shape.
    """
    there = array_names(path)
    pairs = [_WITHOUT_SPLIT] if not has_splits(path) else list(_OF_SPLIT.values())
    if split is not None and has_splits(path):
        pairs = [_OF_SPLIT[split]]
    elif has_splits(path):
        # Training and test images may be a file each.
        pairs = [pair for pair in pairs if pair[0] in there]
    for name in (name for pair in pairs for name in pair):
        if name not in there:
            raise UserInputError(
                f"{path}: there is no array {name}, but {', '.join(there) or 'nothing'}: save "
                "images and their labels with numpy.savez(path, x_train=…, y_train=…, x_test=…, "
                "y_test=…), or as x and y to split them 80/20"
            )
    return [_find_pair(path, pair, shape) for pair in pairs]


@dataclasses.dataclass(frozen=True)
class NpzImages:
    """An array of images without their labels.

    Attributes:
        path: The archive.
        name: The array's.
        header: The array's.
    """

    path: str
    name: str
    header: ArrayHeader

    def read(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Yields images in file order; see `read_npz_images`."""
        return read_npz_images(self.path, (self.name,), self.header, None, block_bytes)


def find_images_to_score(path: str, shape: tuple[int, int]) -> tuple[NpzImages, list[str]]:
    """Returns the images of an archive to score, and the names of its other arrays of images.

    Test images are scored rather than training images, and an array alone whatever its name.

    Raises:
        UserInputError: The archive is damaged, has none of the known arrays, or one of another
            type or shape.
    """
    there = array_names(path)
    known: list[str] = [name for name in ("x_test", "x", "x_train") if name in there]
    if not known and len(there) != 1:
        raise UserInputError(
            f"{path}: there is no array x or x_test, but {', '.join(there) or 'nothing'}: save "
            "the images with numpy.savez(path, x=…)"
        )
    name, *others = known or there
    header = _header(path, name)
    _check_images(header, shape, scoring=True)
    return NpzImages(path, name, header), others


def read_npz_images(
    path: str,
    names: Sequence[str],
    images: ArrayHeader,
    labels: ArrayHeader | None,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Block]:
    """Yields images in file order, uint8 [n, height, width], with their labels if read.

    Args:
        path: The archive.
        names: Of the array of images and, if labels are read, of that of labels.
        images: Header of the images.
        labels: Header of the labels; None if they are not read.
        block_bytes: Bytes of images read at a time.

    Raises:
        UserInputError: The archive is damaged, a pixel is not 0 to 255, or a label is negative.
    """
    count = max(1, block_bytes // max(1, images.values_per_item * images.dtype.itemsize))
    number = 1
    headers = [images] if labels is None else [images, labels]
    with contextlib.ExitStack() as stack:
        arrays = [
            read_items(stack.enter_context(open_array(path, name)), header, 0, header.items, count)
            for name, header in zip(names, headers, strict=True)
        ]
        for block, *of_block in zip(*arrays, strict=True):
            numbers = np.arange(number, number + len(block), dtype=np.int64)
            values = block.reshape(len(block), *images.shape[1:3])
            _require_range(values, numbers, images.place)
            known = no_labels(len(block))
            if labels is not None:
                known = _labels(of_block[0], numbers, labels.place)
            number += len(block)
            yield Block(path, Rows(numbers, values.astype(np.uint8), known))


def _labels(
    values: npt.NDArray[Any], numbers: npt.NDArray[np.int64], place: str
) -> npt.NDArray[np.int64]:
    labels = values.reshape(-1).astype(np.int64)
    if (labels < 0).any():
        first = int((labels < 0).argmax())
        raise UserInputError(
            f"{place}, image {numbers[first]}: the label is {labels[first]}: labels are 0, 1, 2 "
            "and so on"
        )
    return labels


def _find_pair(
    path: str, names: tuple[str, str], shape: tuple[int, int]
) -> Callable[[], Iterator[Block]]:
    images, labels = (_header(path, name) for name in names)
    _check_images(images, shape)
    if labels.dtype.kind not in "iu" or labels.values_per_item != 1:
        raise UserInputError(
            f"{labels.place}: labels are {labels.described()}: give one whole number an image"
        )
    if labels.items != images.items:
        raise UserInputError(
            f"{labels.place}: {labels.items} labels for {images.items} images in array "
            f"{names[0]}: give the arrays that belong together"
        )
    return functools.partial(read_npz_images, path, names, images, labels)


def _header(path: str, name: str) -> ArrayHeader:
    with open_array(path, name) as file:
        header = read_header(file, f"{path}, array {name}")
    if header.is_fortran and len(header.shape) > 1:
        raise UserInputError(
            f"{header.place}: the array is in Fortran order, so that it cannot be read image by "
            "image: save numpy.ascontiguousarray(x)"
        )
    return header


def _check_images(images: ArrayHeader, shape: tuple[int, int], *, scoring: bool = False) -> None:
    found = images.described()
    if images.dtype.kind not in "iu":
        raise UserInputError(
            f"{images.place}: pixels are {found}, expected whole numbers of 0 to 255: save them as "
            "uint8, those of 0 to 1 as (x * 255).round().astype('uint8')"
        )
    if len(images.shape) == 4 and images.shape[3] > 1:
        raise UserInputError(
            f"{images.place}: the array is {found}, and grey images [images, height, width] are "
            "expected: save the colours' mean (x.mean(axis=3).round().astype('uint8'))"
        )
    if len(images.shape) not in (3, 4):
        raise UserInputError(
            f"{images.place}: the array is {found}, and grey images [images, height, width] are "
            f"expected: save x.reshape(-1, {shape[0]}, {shape[1]})"
        )
    height, width = images.shape[1:3]
    if (height, width) != shape and scoring:
        raise UserInputError(
            f"{images.place}: images are {height} x {width} pixels, but the model takes "
            f"{shape[0]} x {shape[1]}: name the model that goes with this file"
        )
    if (height, width) != shape:
        raise UserInputError(
            f"{images.place}: images are {height} x {width} pixels, but data.height={shape[0]} and "
            f"data.width={shape[1]}: --set data.height={height} --set data.width={width}"
        )
    if not images.items:
        raise UserInputError(f"{images.place}: there are 0 images: give one or more")


def _require_range(values: npt.NDArray[Any], numbers: npt.NDArray[np.int64], place: str) -> None:
    wrong = (values < 0) | (values > _BRIGHTEST)
    if wrong.any():
        image, row, column = (int(axis[0]) for axis in wrong.nonzero())
        raise UserInputError(
            f"{place}, image {numbers[image]}, pixel [{row}, {column}]: the value is "
            f"{values[image, row, column]}, expected 0 to 255: save 8 bits a pixel, as uint8"
        )
