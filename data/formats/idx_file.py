"""IDX files: a big-endian header, then unsigned bytes.

Format: http://yann.lecun.com/exdb/mnist/, "The IDX file format".
"""

import contextlib
import dataclasses
import enum
import gzip
import math
import os
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from data.formats.first_bytes import GZIP, START_BYTES, foreign_format, idx_content
from pipeline_config import UserInputError


class IdxKind(enum.IntEnum):
    """What a file of unsigned bytes holds, by its magic number."""

    LABELS = 2049
    IMAGES = 2051


@dataclasses.dataclass(frozen=True)
class IdxHeader:
    """What a file says of itself.

    Attributes:
        path: The file.
        kind: Images or labels.
        shape: (images, height, width) or (labels,).
    """

    path: str
    kind: IdxKind
    shape: tuple[int, ...]


def read_header(path: str) -> IdxHeader:
    """Returns the header of an IDX file, gzip-compressed (whatever its name) or not.

    Raises:
        UserInputError: The file is empty, ends within the header, is damaged gzip data, or has
            neither the magic number of images nor that of labels.
    """
    with open_idx(path) as file:
        return _parse_header(file, path)


def read_blocks(
    header: IdxHeader, block_items: int, first: int = 0, stop: int | None = None
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yields a file's items in order: uint8 [n, height, width] or [n], n up to `block_items`.

    Args:
        header: The file's.
        block_items: Items read at a time.
        first: Index of the first item; gzip data is read from its start all the same.
        stop: Index of the item to stop before; None reads to the end and checks that it is one.

    Raises:
        UserInputError: There are fewer or more bytes than the header says, or the gzip data is
            damaged.
    """
    items, *item_shape = header.shape
    item_bytes = math.prod(item_shape)
    with open_idx(header.path) as file:
        _parse_header(file, header.path)
        file.seek(first * item_bytes, os.SEEK_CUR)
        end = items if stop is None else min(stop, items)
        for start in range(first, end, block_items):
            count = min(block_items, end - start)
            data = file.read(count * item_bytes)
            if len(data) < count * item_bytes:
                raise UserInputError(
                    f"{header.path}: the file ends after {start + len(data) // item_bytes} of "
                    f"{items} items: copy or download it again"
                )
            yield np.frombuffer(data, np.uint8).reshape(count, *item_shape)
        # Reading on to the end is also what makes gzip verify its checksum.
        if end == items and file.read(1):
            raise UserInputError(
                f"{header.path}: there are more bytes than the {items} items that the header "
                "names: copy or download the file again"
            )


@contextlib.contextmanager
def open_idx(path: str) -> Iterator[BinaryIO]:
    """Opens a file on any file system that Beam knows, decompressed if its content is gzip."""
    # Beam would go by the name; users rename files.
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        is_gzip = file.read(len(GZIP)) == GZIP
        file.seek(0)
        if not is_gzip:
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as unzipped:
                yield cast(BinaryIO, unzipped)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UserInputError(
                f"{path}: the gzip data is damaged or ends early: copy or download the file again"
            ) from error


def _parse_header(file: BinaryIO, path: str) -> IdxHeader:
    start = file.read(4)
    if not start:
        raise UserInputError(f"{path}: the file is empty: copy or download it again")
    magic = int.from_bytes(start, "big")
    if len(start) < 4 or magic not in IdxKind.__members__.values():
        start += file.read(START_BYTES)
        what = _other_content(start)
        raise UserInputError(
            f"{path}: {what}wrong magic number {magic}: give an IDX file of images "
            f"({IdxKind.IMAGES:d}) or labels ({IdxKind.LABELS:d})"
        )
    kind = IdxKind(magic)
    dimensions = magic & 0xFF
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise UserInputError(f"{path}: the file ends within its header: copy or download it again")
    return IdxHeader(path, kind, tuple(np.frombuffer(sizes, ">u4").tolist()))


def _other_content(start: bytes) -> str:
    """Returns what a file holds that is neither images nor labels, as the start of a sentence."""
    if what := foreign_format(start):
        return f"the file is {what.partition(':')[0]}, "
    content = idx_content(start)
    if content is None:
        return "the file is text, " if start and start.isascii() and b"\0" not in start else ""
    kind, dimensions = content.split(",")[0], start[3]
    if kind != "uint8":
        return f"values are {content}, not bytes of 0 to 255, "
    if dimensions > 3:
        return f"images of {dimensions - 1} dimensions ({content}), not of grey pixels, "
    return f"labels of {dimensions} dimensions ({content}), not one number each, "
