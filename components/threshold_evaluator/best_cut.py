"""The threshold that separates labelled examples best."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float32]


class _Cuts(NamedTuple):
    """All thresholds that decide differently, from the least to the greatest.

    Attributes:
        values: float32 [n]; the errors above it are called anomalies.
        false_alarms: int64 [n]; normal examples above it.
        found: int64 [n]; abnormal examples above it.
    """

    values: _Floats
    false_alarms: npt.NDArray[np.int64]
    found: npt.NDArray[np.int64]


def best_f1(normal: _Floats, abnormal: _Floats) -> tuple[float, float]:
    """Returns the threshold with the greatest F1 of anomalies, and that F1.

    Args:
        normal: float32 [n]; errors of normal examples, finite, one or more.
        abnormal: float32 [m]; errors of anomalies, finite, one or more.
    """
    cuts = _cuts(normal, abnormal)
    f1 = 2 * cuts.found / (len(abnormal) + cuts.found + cuts.false_alarms)
    best = _last_greatest(f1)
    return float(cuts.values[best]), float(f1[best])


def best_accuracy(normal: _Floats, abnormal: _Floats) -> tuple[float, float]:
    """Returns the threshold with the greatest accuracy, and that accuracy; see `best_f1`."""
    cuts = _cuts(normal, abnormal)
    right = cuts.found + len(normal) - cuts.false_alarms
    best = _last_greatest(right)
    return float(cuts.values[best]), float(right[best] / (len(normal) + len(abnormal)))


def _cuts(normal: _Floats, abnormal: _Floats) -> _Cuts:
    normal, abnormal = np.sort(normal), np.sort(abnormal)
    errors = np.unique(np.concatenate([normal, abnormal]))
    # Halfway to the next error, so that an error a little larger than the last one is not above.
    halfway = ((errors[:-1].astype(np.float64) + errors[1:]) / 2).astype(np.float32)
    # Two errors beside each other in float32 have nothing between them.
    halfway = np.where(halfway < errors[1:], halfway, errors[:-1])
    below_all = np.nextafter(errors[:1], np.float32(-np.inf))
    values = np.concatenate([below_all, halfway, errors[-1:]])
    return _Cuts(
        values,
        len(normal) - np.searchsorted(normal, values, side="right"),
        len(abnormal) - np.searchsorted(abnormal, values, side="right"),
    )


def _last_greatest(figures: npt.NDArray[np.generic]) -> int:
    return int(len(figures) - 1 - np.argmax(figures[::-1]))
