"""The blocks of a run's files, as its ExampleGen reads them, without Beam."""

from collections.abc import Iterator
from pathlib import Path

from data.choice import RunData
from data.formats.image_file import find_images_to_train, holds_both_splits
from data.formats.picture_file import class_labels
from data.formats.rows import Block
from data.formats.signal_file import read_signals
from data.series.findings import Findings
from data.series.series_file import read_series
from data.series.split import require_windows, shares_of, survey
from data.spans.files import refuse_compressed_twins
from pipeline_config import SPLITS, ImageData, SignalData

SplitBlock = tuple[str, Block]
"""A block, and the split that all of its rows belong to; "" if their content decides. Rows and
images that are held out are in blocks to train on: their content decides too."""


def read_blocks(read: RunData, findings: Findings) -> Iterator[SplitBlock]:
    """Yields the blocks of all files of a run; of a series, those of its windows.

    Args:
        read: The files, and the settings that they are read by.
        findings: What is found in a series is added here.

    Raises:
        UserInputError: A file is refused; see `data.formats`.
    """
    data = read.config.data
    if isinstance(data, ImageData):
        yield from _images(read, data)
    elif data.series:
        yield from _series(read, data, findings)
    else:
        yield from _signals(read, data)


def _signals(read: RunData, data: SignalData) -> Iterator[SplitBlock]:
    for span in read.files.spans:
        for names in span.files.values():
            paths = _paths(read, names)
            refuse_compressed_twins(paths)
            for path in paths:
                yield from (("", block) for block in read_signals(path, data))


def _series(read: RunData, data: SignalData, findings: Findings) -> Iterator[SplitBlock]:
    base = read.facts.directory
    names = [name for span in read.files.spans for of in span.files.values() for name in of]
    paths = _paths(read, tuple(names))
    refuse_compressed_twins(paths)
    shares = shares_of([survey(path, data) for path in paths], data, base)
    counts = dict.fromkeys(data.splits, 0)
    for path in paths:
        for block in read_series(path, data, findings=findings):
            for split in data.splits:
                chosen = shares[path].mask(split, block.windows.numbers - 1, data.length)
                counts[split] += int(chosen.sum())
                if chosen.any():
                    yield split, Block(path, block.windows[chosen])
    for split, count in counts.items():
        require_windows(count, split, data, base)


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
