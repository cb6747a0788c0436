"""Synthetic heartbeats in the layout of the tutorial's `ecg.csv`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.ecg_kinds import ABNORMAL, NORMAL, draw
from data.ecg_model import Beats, Floats, integrate
from pipeline_config import NORMAL_LABEL

NORMAL_SHARE = 0.584
"""Share of normal beats, as in the tutorial's file (2,919 of 4,998)."""

NOISE_Z = 0.0008
"""Median standard deviation of the measurement noise, in the model's units (R peak near 0.04)."""

WANDER_Z = 0.0013
"""Median standard deviation of the slow drift's coefficients, in the model's units."""

UNREST = 0.8
"""Log-normal spread of noise and drift over the beats: now and then the patient moves."""

_FIRST_PART = 0.1
_VALUES_A_BLOCK = 2**19


def heartbeats(normal: bool, rows: int, length: int, rng: np.random.Generator) -> Floats:
    """Returns beats of one class, each with mean 0 and standard deviation 1.

    Args:
        normal: Normal beats, or a mixture of the abnormal kinds.
        rows: How many.
        length: Samples a beat.
        rng: The source of every random draw.

    Returns:
        float64 [rows, length]; a row that does not vary is 0.
    """
    beats = draw(NORMAL if normal else ABNORMAL, rows, rng)
    return _standardised(integrate(beats, length) + _disturbance(beats, length, rng))


def blocks(
    rows: int, length: int, rng: np.random.Generator
) -> Iterator[tuple[Floats, npt.NDArray[np.int64]]]:
    """Yields signals [n, length] and labels [n] in file order.

    Like the tutorial's file it is two parts, a tenth and the rest, each with the normal beats
    first: a split by position is badly skewed.
    """
    a_block = max(1, _VALUES_A_BLOCK // max(length, 128))
    first = round(rows * _FIRST_PART)
    for part in (first, rows - first):
        normals = round(part * NORMAL_SHARE)
        for normal, count in ((True, normals), (False, part - normals)):
            label = NORMAL_LABEL if normal else 0
            for start in range(0, count, a_block):
                size = min(a_block, count - start)
                yield heartbeats(normal, size, length, rng), np.full(size, label)


def write_csv(path: Path, *, rows: int, length: int, rng: np.random.Generator) -> None:
    """Writes beats as CSV without a header: `length` samples, then the label 1.0 or 0.0.

    The same arguments and state of `rng` give the same bytes. Memory does not grow with `rows`.
    """
    formats = ["%.8g"] * length + ["%.1f"]
    with path.open("w", encoding="ascii", newline="\n") as file:
        for signals, labels in blocks(rows, length, rng):
            np.savetxt(file, np.column_stack([signals, labels]), fmt=formats, delimiter=",")


def _disturbance(beats: Beats, length: int, rng: np.random.Generator) -> Floats:
    """Measurement noise and a slow drift, both stronger while the patient moves, [n, length]."""
    rows = len(beats.breath)
    unrest = np.exp(UNREST * rng.standard_normal((rows, 1)))
    noise = NOISE_Z * unrest * rng.standard_normal((rows, length))
    place = np.linspace(-1, 1, length)
    drift = WANDER_Z * unrest * rng.standard_normal((rows, 2)) @ np.stack([place, place**2])
    return noise + drift


def _standardised(signals: Floats) -> Floats:
    centred = signals - signals.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    return np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
