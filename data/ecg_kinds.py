"""Kinds of heartbeat: how each differs from the model's own beat."""

import dataclasses

import numpy as np
import numpy.typing as npt

from data.ecg_model import THETA, A, B, Beats, Floats, tachogram

Range = tuple[float, float]

_SAME: Range = (1.0, 1.0)
_NONE: Range = (0.0, 0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wave:
    """How one of P, Q, R, S, T differs: ranges of factors, each drawn evenly for each beat.

    Attributes:
        height: Factor of the peak, which is proportional to a b^2; below 0 it is inverted.
        width: Factor of the width b.
        shift: Radians added to the angle.
    """

    height: Range = _SAME
    width: Range = _SAME
    shift: Range = _NONE


_AS_USUAL = Wave()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Extra:
    """A sixth event: a notch, a lifted ST segment, the T wave of the beat before.

    Attributes:
        theta: Range of its angle in radians.
        height: Range of its peak as a share of a usual R peak.
        width: Range of its width in radians.
    """

    theta: Range = _NONE
    height: Range = _NONE
    width: Range = (0.1, 0.1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of heartbeat.

    Attributes:
        name: What a cardiologist calls it.
        share: Weight among the kinds with the same label.
        rr_before: Factor of the interval before the R peak; a premature beat is below 1.
        rr_after: Factor of the interval after it; the pause after a premature beat is above 1.
    """

    name: str
    share: float
    p: Wave = _AS_USUAL
    q: Wave = _AS_USUAL
    r: Wave = _AS_USUAL
    s: Wave = _AS_USUAL
    t: Wave = _AS_USUAL
    extra: Extra = Extra()
    rr_before: Range = _SAME
    rr_after: Range = _SAME


NORMAL = (
    Kind(name="sinus rhythm", share=0.97),
    Kind(name="sinus rhythm, high T", share=0.03, t=Wave(height=(1.5, 2.0))),
)

_NO_WAVE = Wave(height=_NONE)

ABNORMAL = (
    Kind(
        name="premature ventricular contraction",
        share=0.22,
        p=_NO_WAVE,
        q=_NO_WAVE,
        r=Wave(height=(0.9, 1.5), width=(2.0, 3.2)),
        s=Wave(height=(1.0, 4.0), width=(1.8, 3.0), shift=(0.2, 0.4)),
        t=Wave(height=(-1.6, -0.8), shift=(0.0, 0.3)),
        rr_before=(0.6, 0.8),
        rr_after=(1.15, 1.4),
    ),
    Kind(
        name="R on T",
        share=0.2,
        p=_NO_WAVE,
        q=_NO_WAVE,
        r=Wave(height=(0.8, 1.3), width=(1.8, 3.0)),
        s=Wave(height=(2.0, 5.0), width=(1.8, 3.0), shift=(0.2, 0.4)),
        t=Wave(height=(-1.4, -0.5)),
        extra=Extra(theta=(-1.9, -1.2), height=(0.4, 0.8), width=(0.4, 0.6)),
        rr_before=(0.42, 0.55),
        rr_after=(1.2, 1.5),
    ),
    Kind(
        name="bundle-branch block",
        share=0.18,
        r=Wave(height=(0.7, 1.0), width=(1.3, 1.8)),
        s=Wave(height=(0.0, 0.5), width=(1.2, 1.8)),
        t=Wave(height=(-1.0, 0.0)),
        extra=Extra(theta=(0.3, 0.5), height=(0.4, 0.9), width=(0.1, 0.18)),
    ),
    Kind(
        name="ST elevation",
        share=0.12,
        t=Wave(height=(1.0, 1.8), shift=(-0.2, 0.0)),
        extra=Extra(theta=(0.6, 0.9), height=(0.25, 0.7), width=(0.3, 0.5)),
    ),
    Kind(
        name="ST depression",
        share=0.12,
        t=Wave(height=(0.2, 0.9)),
        extra=Extra(theta=(0.6, 0.9), height=(-0.5, -0.15), width=(0.3, 0.5)),
    ),
    Kind(
        name="low voltage",
        share=0.1,
        p=Wave(height=(0.5, 1.0)),
        q=Wave(height=(0.2, 0.5)),
        r=Wave(height=(0.15, 0.4)),
        s=Wave(height=(0.2, 0.5)),
        t=Wave(height=(0.1, 0.6)),
    ),
    Kind(
        name="premature atrial contraction",
        share=0.06,
        p=Wave(height=(-1.0, 0.3), shift=(-0.3, 0.2)),
        rr_before=(0.65, 0.85),
        rr_after=(1.0, 1.15),
    ),
)

_HEIGHT_SPREAD = np.array([0.1, 0.15, 0.06, 0.15, 0.1])
_WIDTH_SPREAD = np.array([0.04, 0.04, 0.04, 0.04, 0.04])
_ANGLE_SPREAD = np.array([0.05, 0.01, 0.0, 0.01, 0.06])
_UNLIKENESS = 0.7


def draw(kinds: tuple[Kind, ...], beats: int, rng: np.random.Generator) -> Beats:
    """Draws the parameters of `beats` beats whose kinds come in the proportion of their shares.

    Every beat, whatever its kind, also has the natural spread of heights and widths (log-normal),
    angles (normal) and RR intervals (`tachogram`).
    """
    shares = np.array([kind.share for kind in kinds])
    chosen = rng.choice(len(kinds), size=beats, p=shares / shares.sum())
    waves = [(kind.p, kind.q, kind.r, kind.s, kind.t) for kind in kinds]
    height = _evenly([[w.height for w in row] for row in waves], chosen, rng)
    width = _evenly([[w.width for w in row] for row in waves], chosen, rng)
    shift = _evenly([[w.shift for w in row] for row in waves], chosen, rng)
    extra = _evenly([[k.extra.theta, k.extra.height, k.extra.width] for k in kinds], chosen, rng)
    pace = _evenly([[kind.rr_before, kind.rr_after] for kind in kinds], chosen, rng)

    # Most beats are much alike and a few are not, as in a real record: a heavy tail.
    unlike = np.exp(_UNLIKENESS * rng.standard_normal((beats, 1)))
    height *= np.exp(_HEIGHT_SPREAD * unlike * rng.standard_normal(height.shape))
    width *= np.exp(_WIDTH_SPREAD * unlike * rng.standard_normal(width.shape))
    shift += _ANGLE_SPREAD * unlike * rng.standard_normal(shift.shape)
    rr = tachogram(beats + 1, rng)
    r_peak = A[2] * B[2] ** 2
    extra_theta, extra_height, extra_width = extra.T
    return Beats(
        theta=np.column_stack([THETA + shift, extra_theta]),
        # The peak of an event is a b^2 (over the angle's speed): a keeps it as b changes.
        a=np.column_stack([A * height / width**2, extra_height * r_peak / extra_width**2]),
        b=np.column_stack([B * width, extra_width]),
        rr_before=rr[:-1] * pace[:, 0],
        rr_after=rr[1:] * pace[:, 1],
        breath=rng.uniform(0, 2 * np.pi, beats),
    )


def _evenly(
    ranges: list[list[Range]], chosen: npt.NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    """Draws one value from each range of each beat's kind, [beats, ranges a kind]."""
    low, high = np.moveaxis(np.array(ranges)[chosen], -1, 0)
    return low + (high - low) * rng.random(low.shape)
