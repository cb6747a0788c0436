"""Which part of a signal is odd: the shading behind it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

_STRIPS = 140
"""Strips at most; a longer signal's are of several samples each."""

_STRONGEST = 8.0
"""Shading is strongest where samples contribute so many times an equal share."""

_OPACITY = 0.35


def shade(axes: Axes, contribution: np.ndarray, values: int, colour: str) -> None:
    """Shades the samples that contribute more than an equal share to an example's error.

    The scale is the same for all examples: an error that is spread evenly shades nothing, however
    large it is.

    Args:
        axes: With a signal of L samples drawn over 0 to L - 1.
        contribution: float32 [L]; shares of the samples of one channel.
        values: Values of the example, over all channels.
        colour: Of the shading.
    """
    length = len(contribution)
    edges = np.linspace(0, length, min(length, _STRIPS) + 1).astype(int)
    means = np.add.reduceat(contribution, edges[:-1]) / np.diff(edges)
    strength = np.clip((means * values - 1) / (_STRONGEST - 1), 0, 1)
    shown = np.flatnonzero(strength > 0)
    axes.bar(
        edges[:-1][shown] - 0.5,
        1.0,
        np.diff(edges)[shown],
        align="edge",
        color=[to_rgba(colour, _OPACITY * one) for one in strength[shown]],
        linewidth=0,
        transform=axes.get_xaxis_transform(),
        zorder=0,
    )
