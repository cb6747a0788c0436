"""Runs of samples -> windows, with a label each."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from data.formats.labels import LabelRule
from data.formats.rows import Rows, no_labels
from data.series.samples import Samples, joined
from pipeline_config import ABNORMAL_LABEL, NORMAL_LABEL, UNLABELLED, SignalData, UserInputError

_BATCH_VALUES = 1 << 20
"""Values of all windows that are cut at a time, about; overlapping ones are many times as large as
the samples that they cover."""

_MOST_CLASSES = 100


@dataclasses.dataclass(frozen=True)
class SeriesBlock:
    """Consecutive samples, and the windows that end within them.

    Attributes:
        samples: Samples of one run, or that no window may cover (`run` -1). Every sample of a file
            is in one block, in the order of the file.
        windows: In the order of the file; `numbers` are those of each window's first sample in the
            file, from 1. A window begins in this block or in one before it of the same run.
    """

    samples: Samples
    windows: Rows

    @property
    def path(self) -> str:
        """The file."""
        return self.samples.path


def cut_windows(
    pieces: Iterable[Samples], data: SignalData, *, to_the_end: bool = False
) -> Iterator[SeriesBlock]:
    """Yields samples with the windows [length] or [length, channels] that end in them.

    The first window of a run begins at its first sample, each other `data.step` samples behind the
    one before; an incomplete one at the end is left out. Memory holds two windows and a block.

    Args:
        pieces: Samples in runs, with a value in each channel.
        data: The settings.
        to_the_end: Whether a window more ends with a run's last sample, if none does.

    Raises:
        UserInputError: The labels are none.
    """
    for run, group in itertools.groupby(pieces, key=lambda piece: piece.run):
        if run < 0:
            for piece in group:
                yield SeriesBlock(piece, _windows(piece, np.empty(0, np.int64), data))
        else:
            yield from _cut_run(group, data, to_the_end)


def _cut_run(
    pieces: Iterable[Samples], data: SignalData, to_the_end: bool
) -> Iterator[SeriesBlock]:
    step = data.step or data.length
    a_batch = max(1, _BATCH_VALUES // math.prod(data.shape))
    held: Samples | None = None
    # Samples from the start of what is held to the next window; that may begin behind its end.
    skip = 0
    for piece in pieces:
        samples = piece if held is None else joined([held, piece])
        starts = np.arange(skip, len(samples) - data.length + 1, step, dtype=np.int64)
        rest = piece
        for first in range(0, len(starts), a_batch):
            yield SeriesBlock(rest, _windows(samples, starts[first : first + a_batch], data))
            rest = piece[len(piece) :]
        if not len(starts):
            yield SeriesBlock(piece, _windows(samples, starts, data))
        begin = int(starts[-1]) + step if len(starts) else skip
        # A window that ends with the last sample begins before the next one.
        kept = min(begin, max(len(samples) - data.length, 0))
        held, skip = samples[kept:], begin - kept
    if to_the_end and held is not None and skip - step + data.length < len(held) >= data.length:
        starts = np.array([len(held) - data.length], np.int64)
        yield SeriesBlock(held[len(held) :], _windows(held, starts, data))


def _windows(samples: Samples, starts: npt.NDArray[np.int64], data: SignalData) -> Rows:
    numbers = samples.start + starts + 1
    if not len(starts):
        labels = no_labels(0)
        classes = None if samples.classes is None else np.empty(0, np.str_)
        return Rows(numbers, np.empty((0, *data.shape), np.float32), labels, classes)
    every = np.lib.stride_tricks.sliding_window_view(samples.values, data.length, axis=0)
    values = np.ascontiguousarray(every[starts].swapaxes(1, 2)).reshape(-1, *data.shape)
    if samples.classes is None:
        return Rows(numbers, values, no_labels(len(starts)), None)
    part = slice(int(starts[0]), int(starts[-1]) + data.length)
    classes, labels = _classes_of(samples[part], starts - starts[0], data)
    return Rows(numbers, values, labels, classes)


def _classes_of(
    samples: Samples, starts: npt.NDArray[np.int64], data: SignalData
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64]]:
    """Returns the class and the label of each window.

    A window is abnormal if more than `data.share` of its samples are. Its class is the most
    frequent one among its abnormal samples then, and else among its normal ones.
    """
    assert samples.classes is not None, "the series is labelled"
    names, codes = np.unique(samples.classes, return_inverse=True)
    if len(names) > _MOST_CLASSES:
        raise UserInputError(
            f"{samples.path}, row {samples.rows[0]} onwards: the label has more than "
            f"{_MOST_CLASSES} different values, such as {names[0]!r} and {names[1]!r}: name the "
            "label's column, --set data.label=NAME, or --set data.label=none if there is none"
        )
    # How often each class comes before each sample, so a window's counts are two look-ups.
    before = np.zeros((len(samples) + 1, len(names)), np.int32)
    np.cumsum(codes[:, None] == np.arange(len(names)), axis=0, out=before[1:])
    counts = before[starts + data.length] - before[starts]
    labels_of_names = LabelRule.from_data(data).labels_of(names)
    is_abnormal = counts[:, labels_of_names == ABNORMAL_LABEL].sum(axis=1) > (
        data.share * data.length
    )
    is_normal = ~is_abnormal & (counts[:, labels_of_names == NORMAL_LABEL].sum(axis=1) > 0)
    labels = np.select([is_abnormal, is_normal], [ABNORMAL_LABEL, NORMAL_LABEL], UNLABELLED)
    classes = np.full(len(starts), "", dtype=names.dtype)
    for label in (ABNORMAL_LABEL, NORMAL_LABEL):
        chosen, among = labels == label, labels_of_names == label
        if chosen.any():
            classes[chosen] = names[among][counts[chosen][:, among].argmax(axis=1)]
    return classes, labels.astype(np.int64)
