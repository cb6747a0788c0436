"""The figures of a run, as SVG elements of its page."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from markupsafe import Markup, escape
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.report.findings import Findings
from pipeline.report.samples import WHITE, Samples, read_samples
from pipeline.report.shading import shade
from pipeline_config import NORMAL_LABEL, UNLABELLED, SignalData

SIGNALS = 6
IMAGES = 10
"""Examples shown."""

CHANNELS = 6
"""Channels shown of a signal; of more, the first."""

LOSS_NAMES = {"mae": "mean absolute error", "mse": "mean squared error"}

_BINS = 60
_TAIL = 0.995

_INK, _MUTED, _LINE, _FIRST, _SECOND = "#00000a", "#00000b", "#00000c", "#00000d", "#00000e"
_CSS_VARIABLES = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _LINE: "var(--line)",
    _FIRST: "var(--first)",
    _SECOND: "var(--second)",
}
"""Colours that stand for the page's CSS variables, so that a figure is light or dark with it."""

STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": _MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": _INK,
    "axes.prop_cycle": cycler(color=[_FIRST, _SECOND, _MUTED]),
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "grid.color": _LINE,
    "image.cmap": "gray",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "aepipe",
    "text.color": _INK,
    "xtick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.color": _MUTED,
    "ytick.labelcolor": _INK,
    "ytick.left": False,
}
"""Matplotlib's settings for all figures of a page."""

_TRUTHS = ("normal", "abnormal", "unlabelled")
"""What a detector's examples are called, in the order of their colours."""

Series = Sequence[tuple[str, np.ndarray]]


def draw_figures(findings: Findings) -> dict[str, Any]:
    """Returns what the page's template shows: `curve`, `histogram`, `signals` and `images`.

    What the run did not get to is None, or an empty list. `is_shaded` is whether the signals show
    which part of them is odd.
    """
    judged = findings.judged
    curve = histogram = images = None
    is_shaded = False
    signals: list[Markup] = []
    with matplotlib.rc_context(STYLE):
        if history := findings.history:
            last = f"{history['val_loss'][-1]:.4g}" if "val_loss" in history else "not defined"
            curve = inline_svg(
                _training_curve(history, judged.loss),
                "curve",
                f"Line chart: loss over {len(history['loss'])} epochs; training ends at "
                f"{history['loss'][-1]:.4g}, validation at {last}.",
            )
        if findings.errors:
            threshold = findings.evaluation.get("threshold")
            series = _error_series(findings)
            histogram = inline_svg(
                _error_histogram(series, threshold, judged.loss),
                "histogram",
                "Histogram: reconstruction errors of the eval examples, "
                + " and ".join(name for name, _ in series)
                + (f"; threshold at {threshold:.4g}." if threshold is not None else "."),
            )
        samples = read_samples(
            findings, SIGNALS if judged.feature == SignalData.feature else IMAGES
        )
        if samples is not None and judged.feature == SignalData.feature:
            signals = [_signal(samples, number) for number in range(len(samples.error))]
            is_shaded = samples.contribution is not None
        elif samples is not None:
            images = _images(samples)
    return {
        "curve": curve,
        "histogram": histogram,
        "signals": signals,
        "is_shaded": is_shaded,
        "images": images,
    }


def _training_curve(history: Mapping[str, Sequence[float]], loss: str) -> Figure:
    """Draws training and validation loss over the epochs."""
    figure = Figure((5.8, 3.4))
    axes = figure.add_subplot()
    names = {"loss": ("training", "-"), "val_loss": ("validation", "--")}
    for key, (name, style) in names.items():
        if key in history:
            epochs = range(1, len(history[key]) + 1)
            axes.plot(epochs, history[key], style, marker="o", markersize=3.5, label=name)
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"loss ({LOSS_NAMES[loss]})")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _legend_above(figure)
    return figure


def _error_histogram(series: Series, threshold: float | None, loss: str) -> Figure:
    """Draws how many examples have which reconstruction error, and the threshold as a line.

    Errors above the 99.5th percentile of all are counted in the last bar, so that a few of them
    do not squeeze the rest; infinite ones and NaN are not drawn.
    """
    finite = [(name, errors[np.isfinite(errors)]) for name, errors in series]
    edges = _edges(np.concatenate([errors for _, errors in finite]), threshold)
    figure = Figure((5.8, 3.4))
    axes = figure.add_subplot()
    for number, (name, errors) in enumerate(finite):
        axes.hist(
            np.clip(errors, edges[0], edges[-1]),
            list(edges),
            histtype="stepfilled",
            facecolor=(f"C{number}", 0.3),
            edgecolor=f"C{number}",
            hatch="////" if number else None,
            linewidth=1.4,
            label=f"{name} ({len(errors):,})",
        )
    if threshold is not None:
        line = rcParams["text.color"]
        axes.axvline(threshold, color=line, linestyle="--", label=f"threshold {threshold:.4g}")
    axes.set_xlabel(f"reconstruction error ({LOSS_NAMES[loss]}, scaled to 0 to 1)")
    axes.set_ylabel("eval examples")
    _legend_above(figure)
    return figure


def _error_series(findings: Findings) -> Series:
    error, label = findings.errors["eval_error"], findings.errors["eval_label"]
    if findings.judged.is_detector:
        normal, unlabelled = label == NORMAL_LABEL, label == UNLABELLED
        masks = (normal, ~normal & ~unlabelled, unlabelled)
        parts = [(name, error[mask]) for name, mask in zip(_TRUTHS, masks, strict=True)]
        # Of examples that all have a label, a class without any is worth to be seen.
        return [part for part in parts if len(part[1])] if unlabelled.any() else parts[:-1]
    series = [("reconstruction", error)]
    if "eval_noisy_error" in findings.errors:
        series.append(("noisy input", findings.errors["eval_noisy_error"]))
    return series


def _signal(samples: Samples, number: int) -> Markup:
    """Draws one signal, its reconstruction, the difference between them, and its odd part shaded.

    Each channel has axes of its own, below one another. All signals of `samples` get the same
    limits, so that they compare.
    """
    truth = _truth(samples, number)
    colour = f"C{_TRUTHS.index(truth)}"
    title = f"{truth}, error {samples.error[number]:.4f}"
    if samples.is_anomaly is not None:
        title += f": judged {'abnormal' if samples.is_anomaly[number] else 'normal'}"
    if samples.p_value is not None:
        title += f", p {samples.p_value[number]:.2g}"
    originals, reconstructions = _by_channel(samples.original), _by_channel(samples.reconstruction)
    channels, _, length = originals.shape
    shown = min(channels, CHANNELS)
    shares = None if samples.contribution is None else _by_channel(samples.contribution)
    figure = Figure((5.0, 1.6 + 1.4 * shown))
    column = figure.subplots(shown, sharex=True, squeeze=False)[:, 0]
    for channel, axes in enumerate(column):
        original, reconstruction = originals[channel, number], reconstructions[channel, number]
        positions, ink = np.arange(length), rcParams["text.color"]
        if shares is not None:
            shade(axes, shares[channel, number], channels * length, _MUTED)
        area = {"color": colour, "alpha": 0.22, "linewidth": 0}
        axes.fill_between(positions, original, reconstruction, label="error", **area)
        axes.plot(positions, original, color=ink, linewidth=1.3, label="original")
        axes.plot(positions, reconstruction, "--", color=colour, label=f"reconstruction ({truth})")
        axes.set_ylabel("signal (file's units)" if channels == 1 else f"channel {channel}")
        axes.set_xlim(0, length - 1)
        axes.set_ylim(*_limits(originals[channel], reconstructions[channel]))
    column[0].set_title(title)
    column[-1].set_xlabel("sample")
    figure.legend(*column[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    of_channels = f" of {channels} channels" if channels > 1 else ""
    of_channels += f" (the first {shown})" if shown < channels else ""
    label = f"Line chart: a signal{of_channels} and its reconstruction; {title}."
    if shares is not None:
        # Of all channels, also of those that are not shown.
        _, sample = np.unravel_index(np.argmax(shares[:, number]), shares[:, number].shape)
        label += f" Sample {sample} contributes most to the error."
    return inline_svg(figure, f"signal{number}", label)


def _by_channel(signals: np.ndarray) -> np.ndarray:
    """Returns [channels, n, length] of signals [n, length] or [n, length, channels]."""
    return np.moveaxis(signals.reshape(*signals.shape[:2], -1), -1, 0)


def _images(samples: Samples) -> Markup:
    """Draws originals, noisy inputs if there are any, and reconstructions, a row each."""
    rows = [("original", samples.original / WHITE)]
    if samples.noisy is not None:
        rows.append(("noisy input", samples.noisy / WHITE))
    rows.append(("reconstruction", samples.reconstruction))
    columns = len(samples.error)
    figure = Figure((1.05 * columns + 1.2, 1.12 * len(rows) + 0.5))
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for (name, images), axes_of_row in zip(rows, grid, strict=True):
        for image, axes in zip(images, axes_of_row, strict=True):
            axes.imshow(image, vmin=0, vmax=1, interpolation="none")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        axes_of_row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for number, axes in enumerate(grid[0]):
        axes.set_title(_picture_title(samples, number), loc="center", fontsize="small")
    for number, axes in enumerate(grid[-1]):
        axes.set_xlabel(f"{samples.error[number]:.4f}", fontsize="small")
    shown = "originals, noisy inputs and" if samples.noisy is not None else "originals and"
    return inline_svg(
        figure,
        "images",
        f"{columns} columns of images: {shown} reconstructions; errors from "
        f"{samples.error.min():.4f} to {samples.error.max():.4f}.",
    )


def _picture_title(samples: Samples, number: int) -> str:
    if samples.is_anomaly is None:
        return f"class {samples.label[number]}"
    verdict = "abnormal" if samples.is_anomaly[number] else "normal"
    return f"{_truth(samples, number)}\njudged {verdict}"


def _truth(samples: Samples, number: int) -> str:
    """Returns what a detector's example is by its label."""
    return _TRUTHS[{NORMAL_LABEL: 0, UNLABELLED: 2}.get(int(samples.label[number]), 1)]


def _limits(*signals: np.ndarray) -> tuple[float, float]:
    values = np.concatenate(signals)
    finite = values[np.isfinite(values)]
    margin = 0.04 * (np.ptp(finite) or 1.0)
    return float(finite.min() - margin), float(finite.max() + margin)


def _legend_above(figure: Figure) -> None:
    figure.legend(loc="outside upper left", ncols=3, columnspacing=1.2, handlelength=1.6)


def _edges(errors: np.ndarray, threshold: float | None) -> np.ndarray:
    if not len(errors):
        return np.linspace(0, 1, _BINS + 1)
    low, high = float(np.min(errors)), float(np.quantile(errors, _TAIL))
    if threshold is not None:
        low, high = min(low, threshold), max(high, threshold * 1.05)
    return np.linspace(low, high if high > low else low + 1e-6, _BINS + 1)


def inline_svg(figure: Figure, name: str, label: str) -> Markup:
    """Returns a figure as an element of an HTML page.

    Args:
        figure: Drawn with `STYLE`.
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
