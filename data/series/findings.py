"""What reading a series found that a person should know of, added up over files."""

import dataclasses

import numpy as np
import numpy.typing as npt

_MANY = 0.01
"""Share of irregular steps that is worth a notice."""


@dataclasses.dataclass
class Findings:
    """Counts over the samples of one or more files.

    Attributes:
        samples: Samples read.
        step: The usual step of time of the first file, such as "0.01 s"; empty without times.
        steps: Steps of time between samples that follow each other.
        gaps: Steps so long that no window spans them.
        first_gap: Where the first of them is, as a message has it.
        irregular: Steps that are no gap and yet not of the usual length.
        filled: Missing values that were interpolated.
        cut: Samples that no window covers, as values were missing for too long.
        least: float32 [channels]; the least value of each channel; None before any.
        greatest: float32 [channels]; the greatest.
        channels: What the channels are called.
    """

    samples: int = 0
    step: str = ""
    steps: int = 0
    gaps: int = 0
    first_gap: str = ""
    irregular: int = 0
    filled: int = 0
    cut: int = 0
    least: npt.NDArray[np.float32] | None = None
    greatest: npt.NDArray[np.float32] | None = None
    channels: tuple[str, ...] = ()

    def see(self, values: npt.NDArray[np.float32]) -> None:
        """Adds samples, [n, channels] with n > 0."""
        self.samples += len(values)
        # Of a channel without any value, NaN; numpy warns of it.
        least, greatest = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
        self._widen(least, greatest)

    def __add__(self, other: "Findings") -> "Findings":
        total = dataclasses.replace(
            self,
            first_gap=min(filter(None, (self.first_gap, other.first_gap)), default=""),
            step=self.step or other.step,
            channels=self.channels or other.channels,
            **{name: getattr(self, name) + getattr(other, name) for name in _COUNTS},
        )
        if other.least is not None and other.greatest is not None:
            total._widen(other.least, other.greatest)
        return total

    def _widen(self, least: npt.NDArray[np.float32], greatest: npt.NDArray[np.float32]) -> None:
        self.least = least if self.least is None else np.fmin(self.least, least)
        self.greatest = greatest if self.greatest is None else np.fmax(self.greatest, greatest)

    def notices(self) -> list[str]:
        """Returns a sentence for each thing that a reader of a run must not miss."""
        found = []
        if self.gaps:
            found.append(
                f"{_counted(self.gaps, 'gap')} in time: {_no_window(self.gaps)}; "
                f"the first: {self.first_gap}"
            )
        if self.irregular > _MANY * self.steps:
            share = self.irregular / self.steps
            found.append(
                f"irregular times: {share:.0%} of the steps differ by more than a tenth from the "
                "usual one; a window counts samples, not time: resample the files if that matters"
            )
        if self.filled:
            found.append(f"{_counted(self.filled, 'missing value')} interpolated")
        if self.cut:
            found.append(
                f"{_counted(self.cut, 'sample')} left out, as values are missing for longer than "
                "data.longest_gap or at an end: no window covers them"
            )
        if self.least is not None and self.greatest is not None:
            flat = self.least == self.greatest
            names = [name for name, same in zip(self.channels, flat, strict=True) if same]
            found += [
                f"channel {name} is the same number in every sample: it says nothing: "
                "leave it out with data.drop and one less in data.channels"
                for name in names
            ]
        return found


_COUNTS = ("samples", "steps", "gaps", "irregular", "filled", "cut")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _no_window(count: int) -> str:
    return "no window spans it" if count == 1 else "no window spans one"
