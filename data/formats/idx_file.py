"""IDX files: a big-endian header, then unsigned bytes.

Format: http://yann.lecun.com/exdb/mnist/, "The IDX file format".
"""

import dataclasses
import enum
import itertools
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from data.formats.content import BLOCK_BYTES, open_content
from data.formats.first_bytes import START_BYTES, foreign_format, idx_content
from data.formats.rows import Block, Rows, no_labels
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
    with open_content(path) as file:
        return _parse_header(file, path)


def find_images(path: str, shape: tuple[int, ...]) -> IdxHeader:
    """Returns the header of a file of images to score.

    Raises:
        UserInputError: The file holds something else, or images of another shape.
    """
    header = read_header(path)
    if header.kind is not IdxKind.IMAGES:
        raise UserInputError(f"{path}: the file holds labels: give the one with the images")
    if header.shape[1:] != shape:
        size = " x ".join(str(pixels) for pixels in header.shape[1:])
        wanted = " x ".join(str(values) for values in shape)
        raise UserInputError(
            f"{path}: images are {size} pixels, but the model takes {wanted} values: "
            "name the model that goes with this file"
        )
    return header


def find_pair(paths: Sequence[str], shape: tuple[int, int]) -> tuple[IdxHeader, IdxHeader]:
    """Returns the headers of the images and of the labels among some files to train on.

    Args:
        paths: At least one, on any file system that Beam supports.
        shape: Configured (height, width) of an image.

    Raises:
        UserInputError: There is not exactly one file of each kind, or their headers do not agree
            with each other or with the configuration.
    """
    headers = [read_header(path) for path in paths]
    images, labels = _only(headers, IdxKind.IMAGES), _only(headers, IdxKind.LABELS)
    _check_sizes(images, labels, shape)
    return images, labels


def read_images(
    images: IdxHeader,
    labels: IdxHeader | None = None,
    first: int = 0,
    stop: int | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Block]:
    """Yields images in file order, uint8 [n, height, width], with their labels if there are any.

    Args:
        images: From `find_images` or `find_pair`.
        labels: Of the file of their labels, in the same order.
        first: Index of the first image; gzip data is read from its start all the same.
        stop: Index of the image to stop before; None reads to the end and checks that it is one.
        block_bytes: Bytes of images read at a time.

    Raises:
        UserInputError: A file has fewer or more bytes than its header says, or its gzip data is
            damaged.
    """
    items = max(1, block_bytes // math.prod(images.shape[1:]))
    values = _read_items(images, items, first, stop)
    classes = _read_items(labels, items, first, stop) if labels else itertools.repeat(None)
    number = first + 1
    for block, of_block in zip(values, classes, strict=labels is not None):
        numbers = np.arange(number, number + len(block), dtype=np.int64)
        number += len(block)
        known = no_labels(len(block)) if of_block is None else of_block.astype(np.int64)
        yield Block(images.path, Rows(numbers, block, known))


def _read_items(
    header: IdxHeader, block_items: int, first: int, stop: int | None
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yields a file's items in order: uint8 [n, height, width] or [n], n up to `block_items`."""
    items, *item_shape = header.shape
    item_bytes = math.prod(item_shape)
    with open_content(header.path) as file:
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


def _only(headers: list[IdxHeader], kind: IdxKind) -> IdxHeader:
    found = [header for header in headers if header.kind is kind]
    noun = kind.name.lower()
    if not found:
        raise UserInputError(
            f"{headers[0].path}: there is no file of {noun} (magic number {kind:d}) to go with "
            "it: put one beside it"
        )
    if len(found) > 1:
        other = PurePosixPath(found[1].path).name
        raise UserInputError(
            f"{found[0].path}: {other} beside it holds {noun} of the same split too: "
            "remove one of the two"
        )
    return found[0]


def _check_sizes(images: IdxHeader, labels: IdxHeader, shape: tuple[int, int]) -> None:
    count, height, width = images.shape
    if not count:
        raise UserInputError(f"{images.path}: the file holds 0 images: give one or more")
    if (height, width) != shape:
        raise UserInputError(
            f"{images.path}: images are {height} x {width} pixels, but data.height={shape[0]} "
            f"and data.width={shape[1]}: set data.height={height} and data.width={width}"
        )
    if labels.shape[0] != count:
        raise UserInputError(
            f"{labels.path}: {labels.shape[0]} labels for {count} images in {images.path}: "
            "give the files that belong together"
        )


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
