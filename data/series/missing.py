"""Missing samples: refused, or interpolated where only a few are missing in a row."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from data.formats.rows import Rejected
from data.series.findings import Findings
from data.series.samples import Reject, Samples, joined, stretches
from pipeline_config import SignalData, UserInputError


def without_missing(
    pieces: Iterable[Samples],
    data: SignalData,
    findings: Findings,
    reject: Reject | None = None,
) -> Iterator[Samples]:
    """Yields the samples, in order, with a value in each channel.

    With `data.missing=interpolate`, up to `data.longest_gap` missing values in a row of a channel
    are put on the line between the two beside them. What cannot be filled so - a longer gap, or
    one at an end of a run, where nothing is extrapolated - is yielded as a piece with `run` -1,
    and what follows it is another run.

    Args:
        pieces: In runs; see `times.split_at_gaps`.
        data: The settings.
        findings: What is filled and cut is counted here.
        reject: If `data.missing` is "refuse", is called with each row that lacks a value, and the
            row is cut out; None to raise.

    Raises:
        UserInputError: A value is missing, `data.missing` is "refuse" and `reject` None.
    """
    longest = data.longest_gap
    if data.missing == "refuse":
        if reject is None:
            for piece in pieces:
                _require_all(piece)
                yield piece
            return
        pieces, longest = _rejecting(pieces, reject), 0
    number = itertools.count()
    for _, group in itertools.groupby(pieces, key=lambda piece: piece.run):
        run = next(number)
        for piece in _fill_run(group, longest, findings):
            if piece.run < 0:
                run = next(number)
                yield piece
            else:
                yield dataclasses.replace(piece, run=run)


def _require_all(piece: Samples) -> None:
    missing = np.isnan(piece.values)
    if not missing.any():
        return
    at, channel = np.argwhere(missing)[0].tolist()
    raise UserInputError(
        f"{piece.path}, row {piece.rows[at]}, {piece.channels[channel]}: a missing value: fill it "
        "in, or --set data.missing=interpolate"
    )


def _rejecting(pieces: Iterable[Samples], reject: Reject) -> Iterator[Samples]:
    for piece in pieces:
        missing = np.isnan(piece.values)
        for at in np.flatnonzero(missing.any(axis=1) & ~piece.is_broken).tolist():
            channel = piece.channels[int(missing[at].argmax())]
            reject(Rejected(int(piece.rows[at]), f"{channel}: a missing value", ""))
        yield piece


@dataclasses.dataclass(frozen=True)
class _Before:
    """What came before some samples of a run, by channel.

    Attributes:
        last: float32 [channels]; the last value; NaN if there was none.
        since: int64 [channels]; so many samples are missing since then.
    """

    last: npt.NDArray[np.float32]
    since: npt.NDArray[np.int64]

    def after(self, values: npt.NDArray[np.float32]) -> "_Before":
        """Returns what came before the samples behind these."""
        last, since = self.last.copy(), self.since + len(values)
        for channel, column in enumerate(values.T):
            present = np.flatnonzero(~np.isnan(column))
            if len(present):
                last[channel] = column[present[-1]]
                since[channel] = len(values) - 1 - present[-1]
        return _Before(last, since)


def _fill_run(pieces: Iterable[Samples], longest: int, findings: Findings) -> Iterator[Samples]:
    """Yields the samples of one run, with run 0 if they are whole and -1 if not."""
    held: Samples | None = None
    before: _Before | None = None
    for piece in pieces:
        samples = piece if held is None else joined([held, piece])
        if before is None:
            channels = samples.values.shape[1]
            # As nothing came before, a gap at the start is too long to fill.
            never = np.full(channels, longest + 1, np.int64)
            before = _Before(np.full(channels, np.nan, np.float32), never)
        decided = _decided(samples.values, before, longest)
        # Values behind the decided ones are where a line to the next value ends.
        yield from _fill(samples, decided, before, longest, findings)
        before = before.after(samples.values[:decided])
        held = samples[decided:]
    if held is not None and len(held) and before is not None:
        yield from _fill(held, len(held), before, longest, findings)


def _decided(values: npt.NDArray[np.float32], before: _Before, longest: int) -> int:
    """Returns how many samples are known to be whole, to be filled or to be cut."""
    after = before.after(values)
    open_ended = after.since[(after.since > 0) & (after.since <= longest)]
    return len(values) - int(open_ended.max(initial=0))


def _fill(
    samples: Samples, count: int, before: _Before, longest: int, findings: Findings
) -> Iterator[Samples]:
    missing = np.isnan(samples.values)
    if not missing.any():
        if count:
            yield dataclasses.replace(samples[:count], run=0)
        return
    filled = samples.values.copy()
    for channel in np.flatnonzero(missing.any(axis=0)).tolist():
        filled[:, channel] = _on_lines(
            samples.values[:, channel], before.last[channel], before.since[channel], longest
        )
    filled = filled[:count]
    whole = np.logical_not(np.isnan(filled).any(axis=1) | samples.is_broken[:count])
    findings.filled += int((missing[:count] & whole[:, None]).sum())
    findings.cut += int((~whole).sum())
    edges = (np.flatnonzero(np.diff(whole)) + 1).tolist()
    for part in stretches(dataclasses.replace(samples[:count], values=filled), edges):
        yield dataclasses.replace(part, run=0 if whole[part.start - samples.start] else -1)


def _on_lines(
    column: npt.NDArray[np.float32], last: np.float32, since: np.int64, longest: int
) -> npt.NDArray[np.float32]:
    """Returns a channel's values with gaps of up to `longest` filled; NaN in all others."""
    places = np.flatnonzero(~np.isnan(column))
    known = column[places]
    if not np.isnan(last):
        places, known = np.append(-1 - since, places), np.append(last, known)
    if not len(places):
        return column
    index = np.arange(len(column))
    behind = np.searchsorted(places, index)
    inside = (behind > 0) & (behind < len(places))
    lengths = np.diff(places, append=places[-1]) - 1
    fits = inside & (lengths[np.maximum(behind - 1, 0)] <= longest)
    on_line = np.interp(index, places, known).astype(np.float32)
    return np.where(np.isnan(column) & fits, on_line, column)
