"""Windows of a WFDB record: beats around its annotations, or one window after the other."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from data.formats.channels import pick_channels
from data.formats.content import BLOCK_BYTES
from data.formats.labels import LabelRule
from data.formats.rows import Block, Rows, no_labels
from data.formats.samples import finite_rows
from data.formats.wfdb_record import (
    WfdbRecord,
    annotators,
    read_annotations,
    read_wfdb_header,
)
from pipeline_config import AAMI_NORMAL_BEATS, SignalData, UserInputError

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""Symbols that PhysioNet's table of annotations lists as beats; all others are rhythms, noise,
waves and comments. Source: https://archive.physionet.org/physiobank/annotations.shtml."""


@dataclasses.dataclass(frozen=True, eq=False)
class WfdbFile:
    """A record whose windows are examples.

    Attributes:
        record: The record.
        channels: Places of the channels that are read.
        starts: int64 [n]; first sample of each window, from 0, ascending.
        classes: str [n]; symbol of each beat; None if labels are not read.
        rule: Which classes are normal; None if labels are not read.
        shape: Shape of one example.
        notice: What a person should know of windows that were left out; None if none was.
    """

    record: WfdbRecord
    channels: tuple[int, ...]
    starts: npt.NDArray[np.int64]
    classes: npt.NDArray[np.str_] | None
    rule: LabelRule | None
    shape: tuple[int, ...]
    notice: str | None = None

    @property
    def has_middle(self) -> bool:
        """True: a window can be read without those before."""
        return True

    @property
    def path(self) -> str:
        """The record's header."""
        return self.record.path

    @property
    def rows(self) -> int:
        """Windows in the record."""
        return len(self.starts)

    @property
    def row_bytes(self) -> int:
        """Bytes of one window as float32."""
        return 4 * self.shape[0] * len(self.channels)

    def read(
        self, first: int = 0, stop: int | None = None, block_bytes: int = BLOCK_BYTES
    ) -> Iterator[Block]:
        """Yields windows in the order of time; each has the number of its first sample, from 1.

        Args:
            first: Index of the first window.
            stop: Index of the window to stop before; None reads to the end.
            block_bytes: Bytes of float32 samples read at a time.

        Raises:
            UserInputError: A file of samples is not there or damaged.
        """
        end = self.rows if stop is None else min(stop, self.rows)
        width = block_bytes // (4 * len(self.channels))
        while first < end:
            # Windows that lie close together are read together, whether they overlap or not.
            reach = self.starts[first] + max(width, self.shape[0])
            last = int(np.searchsorted(self.starts[:end] + self.shape[0], reach, "right"))
            last = min(last, first + max(1, block_bytes // self.row_bytes))
            yield self._block(slice(first, last))
            first = last

    def _block(self, part: slice) -> Block:
        starts, length = self.starts[part], self.shape[0]
        origin, end = int(starts[0]), int(starts[-1]) + length
        samples = self.record.read(origin, end, list(self.channels))
        windows = np.lib.stride_tricks.sliding_window_view(samples, length, axis=0)
        values = np.moveaxis(windows[starts - origin], 1, 2).reshape(-1, *self.shape)
        classes, labels = None, no_labels(len(starts))
        if self.classes is not None and self.rule is not None:
            classes = self.classes[part]
            labels = self.rule.labels_of(classes)
        rows = Rows(starts + 1, values, labels, classes)
        names = [self.record.channels[place] or str(place) for place in self.channels]
        good, rejected = finite_rows(values, rows.numbers, names, firsts=rows.numbers)
        return Block(self.path, rows if not rejected else rows[good], tuple(rejected))


def find_wfdb(path: str, data: SignalData, *, scoring: bool) -> WfdbFile:
    """Returns what windows a record holds.

    Args:
        path: The record's header.
        data: How windows are cut: around beats if `before` or `after` is set.
        scoring: Whether they are only scored, so that labels are not read.

    Raises:
        UserInputError: The record lacks a file, a channel or annotations, or is too short; the
            message names the setting that helps.
    """
    if data.drop:
        raise UserInputError(
            f"{path}: a WFDB record has no columns to leave out: name the channels to read with "
            "data.channel"
        )
    record = read_wfdb_header(path)
    places = tuple(pick_channels(record.channels, data, path))
    if data.before or data.after:
        return _find_beats(record, places, data, scoring=scoring)
    if data.is_labelled and not scoring:
        raise UserInputError(f"{path}: {_no_labels(record, data)}")
    step = data.step or data.length
    starts = np.arange(0, record.samples - data.length + 1, step, dtype=np.int64)
    if not len(starts):
        raise UserInputError(
            f"{path}: the record has {record.samples} samples of each channel, fewer than "
            f"{'the model takes' if scoring else 'data.length'} ({data.length})"
        )
    return WfdbFile(record, places, starts, None, None, data.shape)


def _find_beats(
    record: WfdbRecord, places: tuple[int, ...], data: SignalData, *, scoring: bool
) -> WfdbFile:
    before, after = data.before, data.after
    if before + after != data.length:
        raise UserInputError(
            f"{record.path}: a beat has data.before={before} and data.after={after} samples, but "
            f"data.length={data.length}: --set data.length={before + after}"
        )
    found = read_annotations(record, data.annotator)
    is_beat = np.isin(found.symbols, list(BEATS))
    if not is_beat.any():
        held = ", ".join(sorted(set(found.symbols.tolist()))) or "nothing"
        raise UserInputError(
            f"{found.path}: none of the annotations is a beat: it holds {held}: name an "
            "annotator of beats with --set data.annotator=SUFFIX"
        )
    at, symbols = found.samples[is_beat], found.symbols[is_beat]
    inside = (at >= before) & (at + after <= record.samples)
    left_out = int(np.count_nonzero(~inside))
    if left_out == len(at):
        raise UserInputError(
            f"{record.path}: the window of each of its {left_out} beats leaves the record of "
            f"{record.samples} samples: --set data.before and data.after to fewer samples"
        )
    notice = None
    if left_out:
        beats = "1 beat" if left_out == 1 else f"{left_out} beats"
        notice = (
            f"{record.path}: {beats} of {len(at)} left out, as {before} samples before or {after} "
            "after leave the record"
        )
    reads_labels = data.is_labelled and not scoring
    normal = AAMI_NORMAL_BEATS if data.normal == SignalData.normal else data.normal
    return WfdbFile(
        record,
        places,
        at[inside] - before,
        symbols[inside] if reads_labels else None,
        LabelRule.of(normal) if reads_labels else None,
        data.shape,
        notice,
    )


def _no_labels(record: WfdbRecord, data: SignalData) -> str:
    """Returns why windows have no labels, and what gives them some."""
    there = annotators(record)
    if not there:
        return "there are no annotations beside it: --set data.label=none"
    before = data.length // 3
    named = f" --set data.annotator={there[0]}" if data.annotator not in there else ""
    return (
        "windows one after the other have no labels: cut beats around its annotations, such as "
        f"--set data.before={before} --set data.after={data.length - before}{named}, or "
        "--set data.label=none"
    )
