"""Files to score whose format says how many rows they hold: all but text."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from data.formats.content import BLOCK_BYTES
from data.formats.example_file import ExampleFile, ExampleFormat, find_example_file
from data.formats.idx_file import IdxHeader, find_images, read_images
from data.formats.rows import Block
from pipeline.scoring.image_files import find_array_images, find_pictures
from pipeline_config import ImageData, SignalData, UserInputError

CountedFormat = Literal["idx", "pictures"] | ExampleFormat

_NAMES: dict[CountedFormat, str] = {
    "idx": "an IDX file",
    "pictures": "a PNG or JPEG picture",
    "npy": "a NumPy array",
    "npz": "an archive of NumPy arrays",
    "parquet": "a Parquet file",
    "wfdb": "a WFDB record",
}


@dataclasses.dataclass(frozen=True)
class IdxImages:
    """Images of an IDX file, as an `ExampleFile`."""

    header: IdxHeader
    has_middle: bool
    notice: str | None = None

    @property
    def path(self) -> str:
        """The file."""
        return self.header.path

    @property
    def rows(self) -> int:
        """Images in it."""
        return self.header.shape[0]

    @property
    def row_bytes(self) -> int:
        """Bytes of one image in the file."""
        return math.prod(self.header.shape[1:])

    def read(
        self, first: int = 0, stop: int | None = None, block_bytes: int = BLOCK_BYTES
    ) -> Iterator[Block]:
        """Yields images in file order, float32 [n, height, width]; see `read_images`."""
        for block in read_images(self.header, None, first, stop, block_bytes):
            yield Block(block.path, block.rows.as_float32())


def find_counted_file(
    path: str,
    kind: CountedFormat,
    data: SignalData | ImageData,
    drop_columns: tuple[int, ...],
    *,
    is_gzip: bool,
) -> ExampleFile:
    """Returns what a file holds for a model to score.

    Args:
        path: On any file system that Beam supports.
        kind: By its content.
        data: How the model's own files were read.
        drop_columns: Columns to leave out, from 0.
        is_gzip: Whether the file is compressed with gzip.

    Raises:
        UserInputError: The file is damaged, has no columns to leave out, or is not of the kind
            that the model takes.
    """
    if drop_columns and kind != "parquet":
        raise UserInputError(f"{path}: {_NAMES[kind]} has no columns: take --drop-column away")
    if kind == "idx":
        return IdxImages(find_images(path, data.shape), has_middle=not is_gzip)
    if isinstance(data, ImageData):
        shape = (data.height, data.width)
        if kind == "pictures":
            return find_pictures(path, shape)
        if kind == "npz":
            return find_array_images(path, shape)
        raise UserInputError(
            f"{path}: the file is {_NAMES[kind]}, but the model takes images: give an IDX file"
        )
    if kind == "pictures" and Path(path).is_dir():
        raise UserInputError(f"{path}: not a file; a pipe goes to standard input, with - as FILE")
    if kind == "pictures":
        raise UserInputError(
            f"{path}: the file is {_NAMES[kind]}, but the model takes signals: give them as CSV"
        )
    dropped = dataclasses.replace(data, drop=(*data.drop, *map(str, drop_columns)))
    found = find_example_file(path, dropped, scoring=True)
    assert found is not None, "its kind is known"
    return found
