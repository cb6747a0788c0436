"""Silhouettes of the ten Fashion-MNIST classes as signed distances, for many images at once.

A garment lies in a square from -1 to 1, u to the right and v downwards. A distance is below 0
inside; a union is a minimum, an intersection a maximum. Every measure of a garment is drawn for
each image on its own, as an array [n, 1, 1].
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
"""float32 throughout."""

Measure = Floats | np.floating[Any] | float


@dataclasses.dataclass(frozen=True)
class Canvas:
    """Where each pixel lies on the garment.

    Attributes:
        u: Across, float32 [n, height, width]; 0 is the garment's middle.
        v: Down, float32 [n, height, width].
        rng: Source of the garments' measures.
    """

    u: Floats
    v: Floats
    rng: np.random.Generator

    def between(self, low: float, high: float) -> Floats:
        """Draws a measure for each image, float32 [n, 1, 1]."""
        return self.rng.uniform(low, high, (len(self.u), 1, 1)).astype(np.float32)

    def chance(self, share: float) -> npt.NDArray[np.bool_]:
        """Draws whether each image has a detail, bool [n, 1, 1]."""
        return self.rng.random((len(self.u), 1, 1)) < share


@dataclasses.dataclass(frozen=True)
class Garment:
    """One class of garment on a canvas.

    Attributes:
        distance: Signed distance from the outline, float32 [n, height, width].
        tone: Brightness of its parts against its cloth, float32 [n, height, width].
    """

    distance: Floats
    tone: Floats


def t_shirt(on: Canvas) -> Garment:
    """Class 0, T-shirt/top."""
    sleeve = _sleeve(on, reach=on.between(0.76, 0.9), end=on.between(-0.3, -0.1), cuff=0.15)
    return Garment(_neck(on, np.minimum(_torso(on, on.between(0.75, 0.95)), sleeve)), _plain(on))


def trouser(on: Canvas) -> Garment:
    """Class 1, trouser."""
    hip, hem = on.between(0.3, 0.4), on.between(0.28, 0.44)
    outside = _profile(on.u, on.v, [(-0.95, hip - 0.06), (-0.55, hip), (0.95, hem)])
    between_legs = (on.v - on.between(-0.5, -0.25)) * on.between(0.06, 0.14) - np.abs(on.u)
    belt = np.where(on.v < -0.85, on.between(0.7, 1.1), np.float32(1))
    return Garment(np.maximum(outside, between_legs), belt)


def pullover(on: Canvas) -> Garment:
    """Class 2, pullover."""
    hem = on.between(0.7, 0.9)
    body = np.minimum(_torso(on, hem), _long_sleeve(on))
    ribbed = np.where(on.v > hem - 0.12, on.between(0.75, 1.15), np.float32(1))
    return Garment(_neck(on, body), ribbed)


def dress(on: Canvas) -> Garment:
    """Class 3, dress."""
    bust, waist = on.between(0.22, 0.32), on.between(0.17, 0.26)
    body = _profile(
        on.u,
        on.v,
        [(-0.95, bust - 0.1), (-0.75, bust), (-0.25, waist), (0.95, on.between(0.25, 0.6))],
    )
    length = np.where(on.chance(0.5), on.between(0.1, 0.6), np.float32(0))
    sleeve = _limb(
        np.abs(on.u), on.v, (0.2, -0.75), (0.2 + 0.4 * length, -0.75 + length), (0.1, 0.08)
    )
    belt = np.where(np.abs(on.v + 0.25) < 0.06, on.between(0.6, 1.2), np.float32(1))
    return Garment(_neck(on, np.minimum(body, sleeve)), belt)


def coat(on: Canvas) -> Garment:
    """Class 4, coat: open in front, longer than a pullover."""
    body = np.minimum(_torso(on, on.between(0.88, 1.0), flare=0.08), _long_sleeve(on))
    tone = _plain(on)
    tone = np.where(np.abs(on.u) < on.between(0.02, 0.06), on.between(0.3, 0.7), tone)
    lapel = np.abs(on.u) < (-on.between(0.1, 0.5) - on.v) * 0.4
    return Garment(_neck(on, body), np.where(lapel, tone * on.between(0.6, 0.9), tone))


def sandal(on: Canvas) -> Garment:
    """Class 5, sandal, toe to the left."""
    rise, thick = on.between(0.0, 0.6), on.between(0.05, 0.09)
    heel_v = 0.45 - rise
    ball = (on.between(-0.35, -0.15), 0.45)
    sole = np.minimum(
        _limb(on.u, on.v, (-0.85, 0.45), ball, (thick, thick)),
        _limb(on.u, on.v, ball, (0.8, heel_v), (thick, thick)),
    )
    heel = _limb(on.u, on.v, (0.8, heel_v), (0.82, 0.5), (thick, thick * 0.8))
    shape = np.minimum(sole, heel)
    width = on.between(0.05, 0.1)
    for middle, half in ((-0.55, 0.25), (-0.3, 0.3), (-0.05, 0.3)):
        size = (half, on.between(0.3, 0.45) + (middle + 0.55) * rise)
        arch = np.abs(_ellipse(on.u, on.v, (middle, 0.45), size)) - width
        arch = np.maximum(arch, on.v - 0.45)
        shape = np.minimum(shape, np.where(on.chance(0.7), arch, np.float32(1)))
    centre = (0.5, heel_v - on.between(0.3, 0.45))
    ankle = np.abs(_ellipse(on.u, on.v, centre, (0.3, 0.14))) - width
    back = _limb(on.u, on.v, (0.82, heel_v), (0.78, centre[1]), (width, width))
    strap = np.where(on.chance(0.7), np.minimum(ankle, back), np.float32(1))
    return Garment(np.minimum(shape, strap), _plain(on))


def shirt(on: Canvas) -> Garment:
    """Class 6, shirt: collar and a row of buttons."""
    short = on.chance(0.3)
    sleeve = np.where(
        short,
        _sleeve(on, reach=on.between(0.75, 0.85), end=on.between(-0.25, 0.0), cuff=0.14),
        _long_sleeve(on),
    )
    body = np.minimum(_torso(on, on.between(0.8, 0.98)), sleeve)
    middle = np.abs(on.u)
    tone = np.where(middle < 0.1, on.between(0.85, 1.1), np.float32(1))
    buttons = (middle < 0.04) & (np.sin(on.v * on.between(18, 26)) > 0.2)
    tone = np.where(buttons, tone * on.between(0.5, 0.8), tone)
    collar = (on.v < -0.68) & (middle < 0.3 + 0.5 * (on.v + 0.7))
    return Garment(_neck(on, body, deep=0.16), np.where(collar, on.between(0.7, 1.2), tone))


def sneaker(on: Canvas) -> Garment:
    """Class 7, sneaker, toe to the left."""
    toe, tongue, collar = on.between(0.12, 0.24), on.between(-0.42, -0.2), on.between(-0.3, -0.1)
    ridge: list[tuple[Measure, Measure]]
    ridge = [(-0.95, toe + 0.12), (-0.7, toe), (-0.3, toe - 0.12), (0.15, tongue)]
    ridge += [(0.5, collar), (0.9, tongue + 0.02)]
    bottom = on.between(0.42, 0.5)
    shape = _under(on, ridge, bottom, -0.93, 0.93)
    sole = on.v > bottom - on.between(0.1, 0.18)
    tone = np.where(sole, on.between(0.5, 1.5), np.float32(1))
    laces = (np.abs(on.u + 0.15) < 0.25) & (np.sin(on.u * 30) > 0.3) & (on.v < toe)
    return Garment(shape, np.where(laces, tone * on.between(0.6, 1.3), tone))


def bag(on: Canvas) -> Garment:
    """Class 8, bag."""
    top, wide = on.between(-0.35, 0.0), on.between(0.68, 0.88)
    corner = np.float32(0.08)
    body = _profile(
        on.u,
        on.v,
        [(top + corner, wide * on.between(0.8, 1.0) - corner), (0.8 - corner, wide - corner)],
    )
    size = (on.between(0.3, 0.55), on.between(0.35, 0.65))
    handle = np.abs(_ellipse(on.u, on.v, (0.0, top), size)) - on.between(0.03, 0.07)
    handle = np.where(on.chance(0.85), np.maximum(handle, on.v - top), np.float32(1))
    flap = on.v < top + on.between(0.1, 0.5)
    tone = np.where(flap, on.between(0.7, 1.15), np.float32(1))
    clasp = (np.abs(on.u) < 0.09) & (np.abs(on.v - top - 0.35) < 0.09)
    tone = np.where(clasp & on.chance(0.5), on.between(0.4, 1.6), tone)
    return Garment(np.minimum(body - corner, handle), tone)


def ankle_boot(on: Canvas) -> Garment:
    """Class 9, ankle boot, toe to the left."""
    toe, instep, bottom = on.between(0.25, 0.4), on.between(-0.05, 0.1), on.between(0.68, 0.75)
    ridge: list[tuple[Measure, Measure]]
    ridge = [(-0.92, toe + 0.12), (-0.7, toe), (-0.2, instep), (0.2, instep - 0.35), (0.9, -0.3)]
    foot = _under(on, ridge, bottom, -0.9, on.between(0.72, 0.8))
    opening = on.between(0.34, 0.44)
    top = on.between(-0.95, -0.6)
    shaft = _profile(on.u - 0.38, on.v, [(top, opening), (0.1, opening - 0.04), (0.4, 0.4)])
    heel = np.maximum(np.abs(on.u - 0.55) - on.between(0.14, 0.24), np.abs(on.v - 0.78) - 0.15)
    heel = np.where(on.chance(0.7), heel, np.float32(1))
    tone = np.where(on.v > bottom - 0.1, on.between(0.5, 1.2), np.float32(1))
    gore = (np.abs(on.u - 0.4) < 0.12) & (on.v < 0.0)
    tone = np.where(gore & on.chance(0.4), on.between(0.6, 0.9), tone)
    return Garment(np.minimum(np.minimum(foot, shaft), heel), tone)


CLASSES: Sequence[Callable[[Canvas], Garment]] = (
    t_shirt,
    trouser,
    pullover,
    dress,
    coat,
    sandal,
    shirt,
    sneaker,
    bag,
    ankle_boot,
)
"""In the order of Fashion-MNIST's labels."""


def _plain(on: Canvas) -> Floats:
    return np.ones_like(on.u)


def _torso(on: Canvas, hem: Floats, flare: float = 0.0) -> Floats:
    chest = on.between(0.4, 0.5)
    waist = chest - on.between(-0.01, 0.06)
    shoulder = on.between(0.24, 0.3)
    return _profile(
        on.u,
        on.v,
        [(-0.88, shoulder), (-0.7, chest), (0.0, waist), (hem, chest + flare)],
    )


def _sleeve(on: Canvas, reach: Floats, end: Floats, cuff: float) -> Floats:
    """Both sleeves of one side's measures, cut straight at the cuff."""
    start = (np.float32(0.36), np.float32(-0.62))
    arm = _limb(np.abs(on.u), on.v, start, (reach, end), (0.2, cuff))
    along = (np.abs(on.u) - reach) * (reach - start[0]) + (on.v - end) * (end - start[1])
    return np.maximum(arm, along / np.hypot(reach - start[0], end - start[1]))


def _long_sleeve(on: Canvas) -> Floats:
    return _sleeve(on, reach=on.between(0.66, 0.84), end=on.between(0.45, 0.85), cuff=0.11)


def _neck(on: Canvas, body: Floats, deep: float = 0.3) -> Floats:
    size = (on.between(0.12, 0.22), on.between(0.08, deep))
    return np.maximum(body, -_ellipse(on.u, on.v, (0.0, -0.92), size))


def _profile(u: Floats, v: Floats, levels: Sequence[tuple[Measure, Measure]]) -> Floats:
    """A shape symmetric about u = 0: half its width at each level, straight between levels."""
    (top, _), (bottom, _) = levels[0], levels[-1]
    return np.maximum(np.abs(u) - _line(v, levels), np.maximum(top - v, v - bottom))


def _under(
    on: Canvas,
    ridge: Sequence[tuple[Measure, Measure]],
    bottom: Measure,
    left: float,
    right: Measure,
) -> Floats:
    """What lies under a ridge (u, v) and above `bottom`."""
    inside = np.maximum(_line(on.u, ridge) - on.v, on.v - bottom)
    return np.maximum(inside, np.maximum(left - on.u, on.u - right))


def _line(at: Floats, knots: Sequence[tuple[Measure, Measure]]) -> Floats:
    """Linear interpolation; unlike `np.interp` each image has knots of its own."""
    value = np.zeros_like(at) + knots[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(knots):
        value += (y1 - y0) * np.clip((at - x0) / (x1 - x0), 0, 1)
    return value


def _limb(
    u: Floats,
    v: Floats,
    start: tuple[Measure, Measure],
    end: tuple[Measure, Measure],
    radius: tuple[Measure, Measure],
) -> Floats:
    """A bar with round ends whose radius changes evenly from `start` to `end`."""
    du, dv = end[0] - start[0], end[1] - start[1]
    along = ((u - start[0]) * du + (v - start[1]) * dv) / (du**2 + dv**2 + 1e-6)
    along = np.clip(along, 0, 1)
    away = np.hypot(u - start[0] - along * du, v - start[1] - along * dv)
    return away - (radius[0] + along * (radius[1] - radius[0]))


def _ellipse(
    u: Floats, v: Floats, centre: tuple[Measure, Measure], size: tuple[Measure, Measure]
) -> Floats:
    """Distance from an ellipse, exact on its outline and on a circle."""
    scaled = np.hypot((u - centre[0]) / size[0], (v - centre[1]) / size[1])
    return (scaled - 1) * np.minimum(size[0], size[1])
