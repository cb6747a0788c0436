"""Intervals of a series whose scores are above the threshold."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.scoring.points import Points


@dataclasses.dataclass(frozen=True)
class Event:
    """Samples of one run that follow each other, all of them above the threshold.

    Attributes:
        start: Time of the first as it is in the file, or its number from 0 without times.
        end: The same of the last.
        samples: How many there are.
        peak_score: The greatest score.
        channel: The channel whose errors, scaled as in training, contribute most: its name, or
            its column's number from 0.
    """

    start: Any
    end: Any
    samples: int
    peak_score: float
    channel: str


class EventFinder:
    """Finds the events of a series whose points come piece by piece, in order.

    Args:
        channels: Names of the channels.
    """

    def __init__(self, channels: Sequence[str]) -> None:
        self._channels = channels
        self._open: _OpenEvent | None = None

    def add(self, points: Points) -> Iterator[Event]:
        """Yields the events that end before the last of some points."""
        if self._open is not None and self._open.run != points.samples.run:
            yield from self.finish()
        moments = moments_of(points)
        for start, stop in _stretches(points.above):
            if self._open is not None and start > 0:
                yield from self.finish()
            if self._open is None:
                totals = np.zeros(points.channel_score.shape[1])
                self._open = _OpenEvent(points.samples.run, moments[start], totals)
            self._open.extend(points, start, stop, moments[stop - 1])
        if self._open is not None and len(points) and not points.above[-1]:
            yield from self.finish()

    def finish(self) -> Iterator[Event]:
        """Yields the event that is still going on, if any."""
        if self._open is not None:
            yield self._open.as_event(self._channels)
        self._open = None


def moments_of(points: Points) -> npt.NDArray[Any]:
    """Returns the times of some points as they are in the file, or their numbers from 0."""
    samples = points.samples
    if samples.stamps is not None:
        return samples.stamps
    return np.arange(samples.start, samples.start + len(samples), dtype=np.int64)


@dataclasses.dataclass
class _OpenEvent:
    run: int
    start: Any
    channel_totals: npt.NDArray[np.float64]
    end: Any = None
    samples: int = 0
    peak_score: float = 0.0

    def extend(self, points: Points, start: int, stop: int, end: Any) -> None:
        self.end = end
        self.samples += stop - start
        self.peak_score = max(self.peak_score, float(points.score[start:stop].max()))
        self.channel_totals += points.channel_score[start:stop].sum(axis=0)

    def as_event(self, channels: Sequence[str]) -> Event:
        channel = channels[int(self.channel_totals.argmax())]
        return Event(self.start, self.end, self.samples, self.peak_score, channel)


def _stretches(above: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yields where each stretch of true values starts, and where it stops."""
    edges = np.flatnonzero(np.diff(above, prepend=False, append=False))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
