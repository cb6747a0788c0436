"""The blocks of a run's files, as its ExampleGen reads them, without Beam."""

from collections.abc import Iterator
from pathlib import Path

from data.choice import RunData
from data.formats.image_file import find_images_to_train, holds_both_splits
from data.formats.picture_file import class_labels
from data.formats.rows import Block
from data.formats.signal_file import read_signals
from data.spans.files import refuse_compressed_twins
from pipeline_config import SPLITS, ImageData, SignalData

SplitBlock = tuple[str, Block]
"""A block, and the split that all of its rows belong to; "" if their content decides."""


def read_blocks(read: RunData) -> Iterator[SplitBlock]:
    """Yields the blocks of all files of a run.

    Args:
        read: The files, and the settings that they are read by.

    Raises:
        UserInputError: A file is refused; see `data.formats`.
    """
    data = read.config.data
    if isinstance(data, ImageData):
        yield from _images(read, data)
    else:
        yield from _signals(read, data)


def _signals(read: RunData, data: SignalData) -> Iterator[SplitBlock]:
    for span in read.files.spans:
        for names in span.files.values():
            paths = _paths(read, names)
            refuse_compressed_twins(paths)
            for path in paths:
                yield from (("", block) for block in read_signals(path, data))


def _images(read: RunData, data: ImageData) -> Iterator[SplitBlock]:
    labels = class_labels([name for span in read.files.all_spans for name in span.names])
    # One set of files for both splits holds them apart, or images are drawn by their content.
    together = len(set(read.files.newest.files.values())) == 1
    for span in read.files.spans:
        for split, names in span.files.items():
            paths = _paths(read, names)
            if not together:
                parts = [(split, find_images_to_train(paths, data, labels))]
            elif split != SPLITS[0]:
                continue
            elif holds_both_splits(paths):
                parts = [
                    (part, find_images_to_train(paths, data, labels, part))
                    for part in ("train", "eval")
                ]
            else:
                parts = [("", find_images_to_train(paths, data, labels))]
            for part, readers in parts:
                for reader in readers:
                    yield from ((part, block) for block in reader())


def _paths(read: RunData, names: tuple[str, ...]) -> list[str]:
    return [str(Path(read.facts.directory, name)) for name in names]
