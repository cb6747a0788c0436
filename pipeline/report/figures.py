"""The figures of a run; draw and save them within `theme.themed`."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.report.samples import WHITE, Samples
from pipeline_config import NORMAL_LABEL

LOSS_NAMES = {"mae": "mean absolute error", "mse": "mean squared error"}

_BINS = 60
_TAIL = 0.995

Series = Sequence[tuple[str, np.ndarray]]


def training_curve(history: Mapping[str, Sequence[float]], loss: str) -> Figure:
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


def error_histogram(series: Series, threshold: float | None, loss: str) -> Figure:
    """Draws how many examples have which reconstruction error.

    Errors above the 99.5th percentile of all are counted in the last bar, so that a few of them
    do not squeeze the rest; infinite ones and NaN are not drawn.

    Args:
        series: Name and errors, float32 [N]; at most two.
        threshold: Is drawn as a line.
        loss: `mae` or `mse`.
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


def signal(axes: Axes, samples: Samples, number: int) -> None:
    """Draws one signal, its reconstruction, and the difference between them as an area.

    All signals of `samples` get the same limits, so that they compare.
    """
    original, reconstruction = samples.original[number], samples.reconstruction[number]
    truth, colour = _truth(samples, number)
    positions = np.arange(len(original))
    axes.fill_between(
        positions, original, reconstruction, color=colour, alpha=0.22, linewidth=0, label="error"
    )
    axes.plot(positions, original, color=rcParams["text.color"], linewidth=1.3, label="original")
    axes.plot(positions, reconstruction, "--", color=colour, label=f"reconstruction ({truth})")
    axes.set_title(signal_title(samples, number))
    axes.set_xlabel("sample")
    axes.set_ylabel("signal (file's units)")
    axes.set_xlim(0, len(original) - 1)
    axes.set_ylim(*_limits(samples))


def signal_title(samples: Samples, number: int) -> str:
    """Returns the true class, the error and the model's verdict on one signal."""
    truth, _ = _truth(samples, number)
    title = f"{truth}, error {samples.error[number]:.4f}"
    if samples.is_anomaly is None:
        return title
    return f"{title}: judged {'abnormal' if samples.is_anomaly[number] else 'normal'}"


def single_signal(samples: Samples, number: int) -> Figure:
    """Draws one signal alone."""
    figure = Figure((5.0, 3.0))
    axes = figure.add_subplot()
    signal(axes, samples, number)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def signal_grid(samples: Samples) -> Figure:
    """Draws all signals, three a row."""
    count = len(samples.error)
    columns = min(count, 3)
    rows = -(-count // columns)
    figure = Figure((4.4 * columns, 2.9 * rows))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for number, axes in enumerate(grid.flat):
        if number < count:
            signal(axes, samples, number)
            axes.label_outer()
        else:
            axes.set_axis_off()
    handles: dict[str, Artist] = {}
    for axes in grid.flat[:count]:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    return figure


def image_rows(samples: Samples) -> Figure:
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
        axes.set_title(f"class {samples.label[number]}", loc="center", fontsize="small")
    for number, axes in enumerate(grid[-1]):
        axes.set_xlabel(f"{samples.error[number]:.4f}", fontsize="small")
    return figure


def _truth(samples: Samples, number: int) -> tuple[str, str]:
    """Returns a signal's true class and its colour."""
    return ("normal", "C0") if samples.label[number] == NORMAL_LABEL else ("abnormal", "C1")


def _limits(samples: Samples) -> tuple[float, float]:
    values = np.concatenate([samples.original, samples.reconstruction])
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
