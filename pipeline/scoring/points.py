"""Errors of a series' windows -> a score for each of its samples, in constant memory."""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from data.formats.rows import Rejected, Rows
from data.series.samples import Samples, joined
from data.series.windows import SeriesBlock
from pipeline.scoring.engine import (
    CONTRIBUTION,
    ERROR,
    NOT_FINITE,
    Outputs,
    ServedModel,
    WriteReject,
)

CHANNEL_ERROR = "channel_error"
THRESHOLD = "threshold"


@dataclasses.dataclass(frozen=True)
class Points:
    """Consecutive samples of one run, with their scores.

    Attributes:
        samples: The samples.
        windows: int64 [n]; how many windows that were scored cover each of them.
        score: float32 [n]; the mean of the errors of these windows; NaN if there is none.
        channel_score: float64 [n, channels]; the same of each channel's errors.
        above: bool [n]; whether the score is above the model's threshold.
        contribution: float32 [n, channels]; the mean of the shares that the sample's values have in
            the errors of these windows, NaN if there is none; None if nobody asked for it.
    """

    samples: Samples
    windows: npt.NDArray[np.int64]
    score: npt.NDArray[np.float32]
    channel_score: npt.NDArray[np.float64]
    above: npt.NDArray[np.bool_]
    contribution: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.samples)


class PointScorer:
    """Scores windows as a server would, and takes the mean over those that cover a sample.

    Attributes:
        windows: Windows that were scored.
        threshold: The model's, once a window was scored; None if it has none.

    Args:
        model: The version that scores.
        batch_size: Windows a call of the model.
        reject: Is called for each window whose error is no finite number. It is left out.
        contribution: Whether the points have one.
    """

    def __init__(
        self,
        model: ServedModel,
        batch_size: int,
        reject: WriteReject,
        *,
        contribution: bool = False,
    ) -> None:
        self.windows = 0
        self.threshold: float | None = None
        self._model = model
        self._batch_size = batch_size
        self._reject = reject
        self._length = model.shape[0]
        self._contribution = contribution
        self._channels = model.shape[1] if len(model.shape) > 1 else 1
        self._errors = 1 + self._channels if self._channels > 1 else 1
        self._sums = self._errors + (self._channels if contribution else 0)

    def score(self, blocks: Iterable[SeriesBlock]) -> Iterator[Points]:
        """Yields each sample of some blocks once, in their order.

        Args:
            blocks: All of a file, as `read_series` yields them. Memory holds a block and a window.
        """
        held: _Held | None = None
        for block in blocks:
            samples = block.samples
            if held is not None and len(samples) and held.samples.run != samples.run:
                yield self._points(held, len(held.samples))
                held = None
            new = _Held.of(samples, self._sums)
            held = new if held is None else held.with_more(new)
            last = self._add(block.windows, held)
            if last is not None:
                # The next window begins behind the last one.
                yield self._points(held, last + 1)
                held = held.behind(last + 1)
        if held is not None and len(held.samples):
            yield self._points(held, len(held.samples))

    def _add(self, windows: Rows, held: "_Held") -> int | None:
        """Adds the errors of windows, and returns where the last one begins; None without any."""
        for start in range(0, len(windows), self._batch_size):
            batch = windows[start : start + self._batch_size]
            outputs = self._model.score(batch.values)
            if THRESHOLD in outputs:
                self.threshold = float(outputs[THRESHOLD][0])
            errors = self._sums_of(outputs)
            begins = batch.numbers - 1 - held.samples.start
            for begin, error in zip(begins.tolist(), errors, strict=True):
                if np.isfinite(error).all():
                    held.add(begin, begin + self._length, error)
                    self.windows += 1
                else:
                    row = int(held.samples.rows[begin])
                    reason = f"the window of {self._length} samples from here on: {NOT_FINITE}"
                    self._reject(Rejected(row, reason, ""))
        return int(begins[-1]) if len(windows) else None

    def _sums_of(self, outputs: Outputs) -> npt.NDArray[np.float64]:
        """Returns what each window adds to its samples: [n, 1, sums], or [n, length, sums].

        A window's error is first, behind it those of several channels, and last the shares.
        """
        errors = _errors(outputs)[:, None]
        if not self._contribution:
            return errors
        count = len(errors)
        shares = outputs[CONTRIBUTION].reshape(count, self._length, self._channels)
        of_samples = np.broadcast_to(errors, (count, self._length, self._errors))
        return np.concatenate([of_samples, shares], axis=2)

    def _points(self, held: "_Held", count: int) -> Points:
        windows = held.windows[:count]
        with np.errstate(invalid="ignore"):
            means = held.totals[:count] / windows[:, None]
        score = means[:, 0].astype(np.float32)
        channels = means[:, min(1, self._errors - 1) : self._errors]
        shares = means[:, self._errors :].astype(np.float32) if self._contribution else None
        above = np.zeros(count, np.bool_)
        if self.threshold is not None:
            above = score > np.float32(self.threshold)
        return Points(held.samples[:count], windows, score, channels, above, shares)


@dataclasses.dataclass(frozen=True)
class _Held:
    """Samples that a window to come may still cover.

    Attributes:
        samples: Of one run.
        totals: float64 [n, sums]; sums over the windows of errors and shares.
        windows: int64 [n]; how many were added.
    """

    samples: Samples
    totals: npt.NDArray[np.float64]
    windows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, samples: Samples, sums: int) -> "_Held":
        return cls(samples, np.zeros((len(samples), sums)), np.zeros(len(samples), np.int64))

    def with_more(self, more: "_Held") -> "_Held":
        if not len(more.samples):
            return self
        return _Held(
            joined([self.samples, more.samples]),
            np.concatenate([self.totals, more.totals]),
            np.concatenate([self.windows, more.windows]),
        )

    def behind(self, count: int) -> "_Held":
        return _Held(self.samples[count:], self.totals[count:], self.windows[count:])

    def add(self, start: int, stop: int, error: npt.NDArray[np.float64]) -> None:
        self.totals[start:stop] += error
        self.windows[start:stop] += 1


def _errors(outputs: Outputs) -> npt.NDArray[np.float64]:
    """Returns [n, 1 + channels]: each window's error, and behind it those of several channels."""
    parts = [outputs[ERROR][:, None]]
    if CHANNEL_ERROR in outputs:
        parts.append(outputs[CHANNEL_ERROR])
    return np.concatenate(parts, axis=1).astype(np.float64)
