"""How figures look: on the page, where they follow its colours, and as pictures on white."""

import contextlib
import dataclasses
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colours of a figure.

    Attributes:
        ink: Text and lines of data.
        muted: Axes and their ticks.
        line: Grid.
        first: The normal, the clean, the trained on.
        second: The anomalous, the noisy, the validated on.
        paper: Background; None for none.
    """

    ink: str
    muted: str
    line: str
    first: str
    second: str
    paper: str | None

    def rc(self) -> dict[str, Any]:
        """Returns Matplotlib's settings."""
        from cycler import cycler

        return {
            "axes.axisbelow": True,
            "axes.edgecolor": self.muted,
            "axes.facecolor": "none",
            "axes.grid": True,
            "axes.grid.axis": "y",
            "axes.labelcolor": self.ink,
            "axes.prop_cycle": cycler(color=[self.first, self.second]),
            "axes.spines.left": False,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": "medium",
            "figure.constrained_layout.use": True,
            "figure.facecolor": self.paper or "none",
            "font.family": "DejaVu Sans",
            "font.size": 11,
            "grid.color": self.line,
            "image.cmap": "gray",
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "svg.fonttype": "none",
            "svg.hashsalt": "aepipe",
            "text.color": self.ink,
            "xtick.color": self.muted,
            "xtick.labelcolor": self.ink,
            "ytick.color": self.muted,
            "ytick.labelcolor": self.ink,
            "ytick.left": False,
        }


LIGHT = Theme("#1c2430", "#5b6675", "#dfe4ea", "#1f66b0", "#c04f0f", "#ffffff")

_CSS_VARIABLES = {
    "#00000a": "var(--ink)",
    "#00000b": "var(--muted)",
    "#00000c": "var(--line)",
    "#00000d": "var(--first)",
    "#00000e": "var(--second)",
}
_INK, _MUTED, _LINE, _FIRST, _SECOND = _CSS_VARIABLES
PAGE = Theme(_INK, _MUTED, _LINE, _FIRST, _SECOND, paper=None)
"""Colours that stand for the page's CSS variables, so that a figure is light or dark with it."""


@contextlib.contextmanager
def themed(theme: Theme) -> Iterator[None]:
    """Draws, and saves, with a theme."""
    import matplotlib

    settings: Any = theme.rc()
    with matplotlib.rc_context(settings):
        yield


def inline_svg(figure: "Figure", name: str, label: str) -> Markup:
    """Returns a figure that was drawn with the theme `PAGE` as an element of an HTML page.

    Args:
        figure: What to show.
        name: Unique on the page; ids within the SVG start with it.
        label: What it shows, for those who do not see it.
    """
    buffer = io.StringIO()
    figure.savefig(
        buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
    )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour, variable in _CSS_VARIABLES.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    # The view box remains: the page's style decides on the size.
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1))
