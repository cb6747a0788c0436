"""Images to score beside those of IDX files: Keras' archives of arrays, and PNG or JPEG files."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.formats.content import BLOCK_BYTES
from data.formats.image_npz import NpzImages, find_images_to_score
from data.formats.picture_file import is_picture, picture_size, read_picture
from data.formats.rows import Block, Rejected, Rows, no_labels
from data.spans.files import PICTURE_SUFFIXES
from pipeline_config import UserInputError


@dataclasses.dataclass(frozen=True)
class ArrayImages:
    """Images of an archive of arrays, as an `ExampleFile`."""

    images: NpzImages
    notice: str | None = None
    has_middle: bool = False

    @property
    def path(self) -> str:
        """The archive."""
        return self.images.path

    @property
    def rows(self) -> int:
        """Images in it."""
        return self.images.header.items

    @property
    def row_bytes(self) -> int:
        """Bytes of one image."""
        return self.images.header.values_per_item

    def read(
        self, first: int = 0, stop: int | None = None, block_bytes: int = BLOCK_BYTES
    ) -> Iterator[Block]:
        """Yields images in file order, float32 [n, height, width]; only the whole is read."""
        assert (first, stop) == (0, None), "it has no middle"
        for block in self.images.read(block_bytes):
            yield Block(block.path, block.rows.as_float32())


@dataclasses.dataclass(frozen=True)
class Pictures:
    """PNG and JPEG files, as an `ExampleFile`; each is a row, in the order of their paths.

    Attributes:
        path: The folder, or the one picture.
        pictures: Paths, sorted.
        shape: (height, width) of a picture.
    """

    path: str
    pictures: tuple[str, ...]
    shape: tuple[int, int]
    has_middle: bool = True
    notice: str | None = None

    @property
    def rows(self) -> int:
        """Pictures in the folder."""
        return len(self.pictures)

    @property
    def row_bytes(self) -> int:
        """Bytes of one decoded picture."""
        return math.prod(self.shape)

    def read(
        self, first: int = 0, stop: int | None = None, block_bytes: int = BLOCK_BYTES
    ) -> Iterator[Block]:
        """Yields pictures, float32 [n, height, width]; one that cannot be read is rejected."""
        count = max(1, block_bytes // self.row_bytes)
        end = self.rows if stop is None else min(stop, self.rows)
        for start in range(first, end, count):
            yield self._block(start, min(start + count, end))

    def _block(self, start: int, stop: int) -> Block:
        numbers, values, rejected = [], [], []
        for place in range(start, stop):
            path = self.pictures[place]
            try:
                values.append(read_picture(path, self.shape))
                numbers.append(place + 1)
            except UserInputError as error:
                reason = str(error).removeprefix(f"{path}: ")
                rejected.append(Rejected(place + 1, reason, path))
        pixels = np.array(values, np.float32).reshape(-1, *self.shape)
        rows = Rows(np.array(numbers, np.int64), pixels, no_labels(len(numbers)))
        return Block(self.path, rows, tuple(rejected))


def find_array_images(path: str, shape: tuple[int, int]) -> ArrayImages:
    """Returns the images of an archive of arrays.

    Raises:
        UserInputError: The archive is damaged, has no such array, or images of another shape.
    """
    images, others = find_images_to_score(path, shape)
    notice = f"{path}: array {images.name} is scored, not {', '.join(others)}" if others else None
    return ArrayImages(images, notice)


def find_pictures(path: str, shape: tuple[int, int]) -> Pictures:
    """Returns the pictures of a folder and of the folders in it, or the one picture.

    Raises:
        UserInputError: There is none, or the first is damaged or of another size.
    """
    pictures = _pictures_below(path) if Path(path).is_dir() else (path,)
    if not pictures:
        raise UserInputError(f"{path}: there is no PNG or JPEG picture in the folder")
    height, width = picture_size(pictures[0])
    if (height, width) != shape:
        raise UserInputError(
            f"{pictures[0]}: the picture is {height} x {width} pixels, but the model takes "
            f"{shape[0]} x {shape[1]}: name the model that goes with it"
        )
    return Pictures(path, pictures, shape)


def bytes_of_folder(path: str) -> int:
    """Returns how many bytes the pictures of a folder have."""
    return sum(Path(picture).stat().st_size for picture in _pictures_below(path))


def holds_picture(path: str, start: bytes) -> bool:
    """Returns whether a file is a picture, by its first bytes or, if it is damaged, its name."""
    return is_picture(start) or path.lower().endswith(PICTURE_SUFFIXES)


def _pictures_below(folder: str) -> tuple[str, ...]:
    found = (path.relative_to(folder) for path in Path(folder).rglob("*"))
    return tuple(
        str(Path(folder, path))
        for path in sorted(found)
        if path.name.lower().endswith(PICTURE_SUFFIXES)
        and not any(part.startswith(".") for part in path.parts)
    )
