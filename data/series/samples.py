"""What a reader of a series returns: consecutive samples of all channels."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data.formats.rows import Rejected

Reject = Callable[[Rejected], None]
"""Is called with a row that cannot be read, in a file that is scored."""


@dataclasses.dataclass(frozen=True, order=True)
class Channel:
    """A column of a file that is read as a channel.

    Attributes:
        column: Its place in the file, from 1.
        name: Its name; empty if the file does not name its columns.
    """

    column: int
    name: str = ""

    def __str__(self) -> str:
        return f"column {self.column}" + (f" ({self.name!r})" if self.name else "")


@dataclasses.dataclass(frozen=True)
class Samples:
    """Consecutive samples of one file, in the order of the file.

    Attributes:
        path: The file.
        channels: What the columns of `values` are.
        start: How many samples of the file come before the first of these.
        rows: int64 [n]; where each sample is in the file, for messages: lines of a text from 1,
            with a header and blank lines counted, or rows of an array from 1.
        values: float32 [n, channels]; NaN for a sample that is missing.
        times: int64 (nanoseconds since 1970) or, if the file holds numbers, these: int64 or
            float64 [n]; None if the series has no times.
        stamps: [n]; the times as they are in the file, text or numbers; None without times.
        without_times: Settings with which samples are counted and times are not read, for messages.
        classes: str [n]; the class of each sample, "" for none; None if the series has no labels.
        broken: bool [n]; rows that cannot be read: their values are NaN, and their times mean
            nothing; None if there are none.
        run: Samples of one number follow each other without a gap; -1 for samples that no window
            may cover.
    """

    path: str
    channels: tuple[Channel, ...]
    start: int
    rows: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]
    times: npt.NDArray[Any] | None = None
    stamps: npt.NDArray[Any] | None = None
    without_times: str = ""
    classes: npt.NDArray[np.str_] | None = None
    broken: npt.NDArray[np.bool_] | None = None
    run: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_broken(self) -> npt.NDArray[np.bool_]:
        """Whether each row cannot be read, bool [n]."""
        return np.zeros(len(self), np.bool_) if self.broken is None else self.broken

    def __getitem__(self, part: slice) -> "Samples":
        first, _, _ = part.indices(len(self))
        return dataclasses.replace(
            self,
            start=self.start + first,
            rows=self.rows[part],
            values=self.values[part],
            times=None if self.times is None else self.times[part],
            stamps=None if self.stamps is None else self.stamps[part],
            classes=None if self.classes is None else self.classes[part],
            broken=None if self.broken is None else self.broken[part],
        )


def joined(parts: Sequence[Samples]) -> Samples:
    """Returns samples that follow each other as one; at least one part."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]

    def together(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else np.concatenate(arrays)

    broken = None
    if any(part.broken is not None for part in parts):
        broken = np.concatenate([part.is_broken for part in parts])
    names = ("rows", "values", "times", "stamps", "classes")
    return dataclasses.replace(first, broken=broken, **{name: together(name) for name in names})


def stretches(samples: Samples, edges: Sequence[int]) -> Iterator[Samples]:
    """Yields the samples in parts that begin at 0 and at each edge; none of them is empty."""
    bounds = [0, *edges, len(samples)]
    for first, end in itertools.pairwise(bounds):
        if end > first:
            yield samples[first:end]
