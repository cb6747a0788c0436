"""The two files of a split: images and, in the same order, their labels."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from data.formats.idx_file import IdxHeader, IdxKind, read_blocks, read_header
from pipeline_config import UserInputError

BLOCK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class IdxPair:
    """Headers of an images file and of the labels file that goes with it."""

    images: IdxHeader
    labels: IdxHeader


@dataclasses.dataclass(frozen=True)
class ImageBlock:
    """Consecutive images of a pair of files.

    Attributes:
        images: uint8 [n, height, width].
        labels: uint8 [n].
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]


def find_pair(paths: Sequence[str], shape: tuple[int, int]) -> IdxPair:
    """Returns the pair that some files are; which is which is read from their headers.

    Args:
        paths: At least one, on any file system that Beam knows.
        shape: Configured (height, width) of an image.

    Raises:
        UserInputError: There is not exactly one file of each kind, or their headers do not agree
            with each other or with the configuration.
    """
    headers = [read_header(path) for path in paths]
    pair = IdxPair(images=_only(headers, IdxKind.IMAGES), labels=_only(headers, IdxKind.LABELS))
    _check_sizes(pair, shape)
    return pair


def read_pair(pair: IdxPair, block_bytes: int = BLOCK_BYTES) -> Iterator[ImageBlock]:
    """Yields a pair's images and labels in file order, about `block_bytes` at a time.

    Raises:
        UserInputError: A file holds other than its header says; see `read_blocks`.
    """
    _, height, width = pair.images.shape
    block_items = max(1, block_bytes // (height * width))
    blocks = zip(
        read_blocks(pair.images, block_items), read_blocks(pair.labels, block_items), strict=True
    )
    for images, labels in blocks:
        yield ImageBlock(images, labels)


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


def _check_sizes(pair: IdxPair, shape: tuple[int, int]) -> None:
    images, height, width = pair.images.shape
    labels = pair.labels.shape[0]
    if not images:
        raise UserInputError(f"{pair.images.path}: the file holds 0 images: give one or more")
    if (height, width) != shape:
        raise UserInputError(
            f"{pair.images.path}: images are {height} x {width} pixels, but data.height={shape[0]} "
            f"and data.width={shape[1]}: set data.height={height} and data.width={width}"
        )
    if images != labels:
        raise UserInputError(
            f"{pair.labels.path}: {labels} labels for {images} images in {pair.images.path}: "
            "give the files that belong together"
        )
