"""The readers of images to train on, whatever the format of their files."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
import numpy.typing as npt

from data.formats.idx_file import find_pair, read_images
from data.formats.image_csv import read_image_rows
from data.formats.image_npz import ImageSplit, find_npz_images, has_splits
from data.formats.labels import LabelRule
from data.formats.picture_file import find_pictures
from data.formats.rows import Block, Rows
from data.spans.files import PICTURE_SUFFIXES
from pipeline_config import ImageData, UserInputError

ImageReader = Callable[[], Iterator[Block]]
"""Yields images in file order, uint8 [n, height, width], with labels; it travels to workers."""

ImageKind = Literal["idx", "npz", "csv", "pictures"]


def image_kind(paths: Sequence[str]) -> ImageKind:
    """Returns the format of some files, by their suffixes; IDX files have none.

    Raises:
        UserInputError: They are of several formats.
    """
    kinds: dict[ImageKind, str] = {}
    for path in paths:
        kinds.setdefault(_kind(path), path)
    if len(kinds) > 1:
        first, second, *_ = kinds.values()
        raise UserInputError(
            f"{first}: {PurePosixPath(second).name} is of another format: choose one with "
            "--set data.train_pattern=… --set data.eval_pattern=…"
        )
    (kind,) = kinds
    return kind


def holds_both_splits(paths: Sequence[str]) -> bool:
    """Returns whether each of some files holds the images of both splits.

    Raises:
        UserInputError: The files are of several formats, or damaged.
    """
    return image_kind(paths) == "npz" and all(map(has_splits, paths))


def find_images_to_train(
    paths: Sequence[str],
    data: ImageData,
    labels: Mapping[str, int],
    split: ImageSplit | None = None,
) -> list[ImageReader]:
    """Returns readers that together yield the images of some files of one split.

    What a file says of itself is judged here.

    Args:
        paths: At least one, on any file system that Beam supports.
        data: What the files hold; with `data.normal`, labels say which images are normal.
        labels: Label of each class that has a name instead of a number.
        split: Which images, if one file holds those of both splits; None for all.

    Raises:
        UserInputError: A file is damaged, or holds something else than `data` says.
    """
    readers = _class_readers(paths, data, labels, split)
    if not data.normal:
        return readers
    return [
        functools.partial(_read_marked, reader, LabelRule.from_data(data)) for reader in readers
    ]


def class_names_of(rows: Rows) -> npt.NDArray[np.str_]:
    """Returns the name of each image's class, str [n]: its number if it has no name."""
    return rows.labels.astype(np.str_) if rows.classes is None else rows.classes


def _class_readers(
    paths: Sequence[str], data: ImageData, labels: Mapping[str, int], split: ImageSplit | None
) -> list[ImageReader]:
    shape = (data.height, data.width)
    kind = image_kind(paths)
    if kind == "pictures":
        return find_pictures(paths, shape, labels)
    if kind == "npz":
        return [reader for path in paths for reader in find_npz_images(path, shape, split)]
    if kind == "csv":
        return [functools.partial(read_image_rows, path, shape) for path in paths]
    return [functools.partial(read_images, *find_pair(paths, shape))]


def _read_marked(read: ImageReader, rule: LabelRule) -> Iterator[Block]:
    """Yields blocks whose labels say which images are normal; the classes keep their names."""
    for block in read():
        classes = class_names_of(block.rows)
        labels = rule.labels_of(classes)
        rows = dataclasses.replace(block.rows, labels=labels, classes=classes)
        yield dataclasses.replace(block, rows=rows)


def _kind(path: str) -> ImageKind:
    name = path.lower()
    if name.endswith(PICTURE_SUFFIXES):
        return "pictures"
    if name.endswith((".csv", ".csv.gz")):
        return "csv"
    return "npz" if name.endswith(".npz") else "idx"
