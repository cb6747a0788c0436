"""Synthetic heartbeats in the layout of the tutorial's `ecg.csv`.

P. E. McSharry, G. D. Clifford, L. Tarassenko, L. A. Smith: "A dynamical model for generating
synthetic electrocardiogram signals", IEEE Trans. Biomed. Eng. 50(3):289-294, 2003. Once a beat an
angle runs from -pi over 0, the R peak, to pi, and each of the waves P, Q, R, S and T is a Gaussian
around an angle of its own. The paper's equation (1) has their derivatives; here is their sum.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline_config import NORMAL_LABEL

Floats = npt.NDArray[np.float64]

NORMAL_SHARE = 0.584
"""Share of normal beats, as in the tutorial's file (2,919 of 4,998)."""

_FIRST_PART = 0.1
_VALUES_A_BLOCK = 2**19


class Kind(NamedTuple):
    """One kind of heartbeat: the waves P, Q, R, S, T and one that only some kinds have.

    The defaults are table I of the paper; a wave's height is its a * b^2, over that of R.

    Attributes:
        share: Weight among the kinds with the same label.
        angles: Of the waves, in radians.
        widths: Standard deviations of the waves, in radians.
        heights: Peaks of the waves; below 0 for one that points downwards.
        variation: How much two beats of this kind differ: log-normal spread of the heights;
            the widths vary half as much.
        before: Time since the R peak before, in units of the mean; a premature beat is below 1.
        after: Time to the R peak after; the pause after a premature beat is above 1.
    """

    share: float
    angles: Sequence[float] = (-np.pi / 3, -np.pi / 12, 0, np.pi / 12, np.pi / 2, 0.75)
    widths: Sequence[float] = (0.25, 0.1, 0.1, 0.1, 0.4, 0.4)
    heights: Sequence[float] = (0.25, -0.17, 1, -0.25, 0.4, 0)
    variation: float = 0.1
    before: float = 1
    after: float = 1


NORMAL = {
    "sinus rhythm": Kind(0.97),
    "sinus rhythm, high T": Kind(0.03, heights=(0.25, -0.17, 1, -0.25, 0.7, 0)),
}

ABNORMAL = {
    "premature ventricular contraction": Kind(
        share=0.22,
        angles=(-1.05, -0.26, 0, 0.56, 1.7, 0.75),
        widths=(0.25, 0.1, 0.26, 0.24, 0.4, 0.4),
        heights=(0, 0, 1.2, -0.6, -0.48, 0),
        variation=0.2,
        before=0.7,
        after=1.27,
    ),
    "R on T": Kind(
        share=0.2,
        angles=(-1.05, -0.26, 0, 0.56, 1.57, -1.5),
        widths=(0.25, 0.1, 0.24, 0.24, 0.4, 0.5),
        heights=(0, 0, 1, -0.85, -0.38, 0.6),
        variation=0.2,
        before=0.48,
        after=1.35,
    ),
    "bundle-branch block": Kind(
        share=0.18,
        angles=(-1.05, -0.26, 0, 0.26, 1.57, 0.4),
        widths=(0.25, 0.1, 0.15, 0.15, 0.4, 0.14),
        heights=(0.25, -0.17, 0.85, -0.06, -0.2, 0.65),
        variation=0.2,
    ),
    "ST elevation": Kind(0.12, heights=(0.25, -0.17, 1, -0.25, 0.56, 0.45), variation=0.2),
    "ST depression": Kind(0.12, heights=(0.25, -0.17, 1, -0.25, 0.2, -0.3), variation=0.2),
    "low voltage": Kind(0.1, heights=(0.19, -0.06, 0.27, -0.09, 0.14, 0), variation=0.3),
    "premature atrial contraction": Kind(
        0.06, heights=(-0.1, -0.17, 1, -0.25, 0.4, 0), variation=0.2, before=0.75, after=1.07
    ),
}


def heartbeats(kinds: Sequence[Kind], rows: int, length: int, rng: np.random.Generator) -> Floats:
    """Returns beats whose kinds come in the proportion of their shares.

    Most beats are much alike and a few are not, as in a real record: a beat's variation and its
    noise and drift (the patient moves) have heavy tails.

    Args:
        kinds: One or more.
        rows: How many beats.
        length: Samples of a beat, from halfway after the last R peak to halfway before the next.
        rng: The source of every random draw.

    Returns:
        float64 [rows, length], each row with mean 0 and standard deviation 1.
    """
    shares = np.array([kind.share for kind in kinds])
    chosen = rng.choice(len(kinds), size=rows, p=shares / shares.sum())

    def each(values: Sequence[Sequence[float]]) -> Floats:
        return np.array(values, np.float64)[chosen]

    unlike = np.exp(0.7 * rng.standard_normal((rows, 1)))
    spread = unlike * each([[kind.variation] for kind in kinds])
    heights = each([kind.heights for kind in kinds])
    heights *= np.exp(spread * rng.standard_normal(heights.shape))
    widths = each([kind.widths for kind in kinds])
    widths *= np.exp(spread / 2 * rng.standard_normal(widths.shape))
    angles = each([kind.angles for kind in kinds])
    # Waves far from the R peak wander more.
    angles += spread / 3 * np.abs(angles) * rng.standard_normal(angles.shape)
    before, after = each([[kind.before, kind.after] for kind in kinds]).T[:, :, None]
    before, after = (pace * rng.normal(1, 0.02, (rows, 1)) for pace in (before, after))

    since_r = (before + after) / 2 * np.arange(length) / length - before / 2
    angle = 2 * np.pi * since_r / np.where(since_r < 0, before, after)
    signals = np.zeros_like(angle)
    for centre, width, height in zip(angles.T, widths.T, heights.T, strict=True):
        away = np.mod(angle - centre[:, None] + np.pi, 2 * np.pi) - np.pi
        signals += height[:, None] * np.exp(-0.5 * (away / width[:, None]) ** 2)

    unrest = 0.5 + rng.pareto(3, (rows, 1))
    place = np.linspace(-1, 1, length)
    drift = rng.standard_normal((rows, 2)) @ np.stack([place, place**2])
    signals += unrest * (0.02 * rng.standard_normal((rows, length)) + 0.03 * drift)
    signals -= signals.mean(axis=1, keepdims=True)
    return signals / signals.std(axis=1, keepdims=True)


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
        for kinds, label, count in (
            (NORMAL, NORMAL_LABEL, normals),
            (ABNORMAL, 1 - NORMAL_LABEL, part - normals),
        ):
            for start in range(0, count, a_block):
                size = min(a_block, count - start)
                yield (
                    heartbeats(list(kinds.values()), size, length, rng),
                    np.full(size, label),
                )


def write_csv(path: Path, *, rows: int, length: int, rng: np.random.Generator) -> None:
    """Writes beats as CSV without a header: `length` samples, then the label 1.0 or 0.0.

    The same arguments and state of `rng` give the same bytes. Memory does not grow with `rows`.
    """
    formats = ["%.8g"] * length + ["%.1f"]
    with path.open("w", encoding="ascii", newline="\n") as file:
        for signals, labels in blocks(rows, length, rng):
            np.savetxt(file, np.column_stack([signals, labels]), fmt=formats, delimiter=",")
