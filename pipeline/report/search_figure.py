"""The figure of a search: its errors by trial, and which settings they depend on."""

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.report.figures import STYLE, inline_svg
from pipeline.tuning.result import TuningResult


def draw_search(result: TuningResult) -> Markup | None:
    """Returns the figure of a study; None if no trial gave an error."""
    if all(one.error is None for one in result.trials):
        return None
    with matplotlib.rc_context(STYLE):
        figure = Figure((10.0, 3.6) if result.importance else (5.8, 3.4))
        panels = figure.subplots(1, 2 if result.importance else 1, squeeze=False)[0]
        _errors(panels[0], result)
        if result.importance:
            _importance(panels[1], result)
        best = result.error_of(result.best)
        ended = "no trial completed" if best is None else f"the least is {best:.4g}"
        label = f"Chart: errors of {len(result.trials)} trials; {ended}."
        return inline_svg(figure, "search", label)


def _errors(axes: Axes, result: TuningResult) -> None:
    """Draws each trial's error, and the least of those that completed so far as a line."""
    for state, marker, colour in (("complete", "o", "C0"), ("pruned", "x", "C2")):
        points = [
            (one.trial, one.error)
            for one in result.trials
            if one.state == state and one.error is not None
        ]
        axes.plot(
            [trial for trial, _ in points],
            [error for _, error in points],
            linestyle="none",
            marker=marker,
            markersize=5,
            color=colour,
            label=state,
        )
    numbers: list[int] = []
    least: list[float] = []
    for one in result.trials:
        if one.state == "complete" and one.error is not None:
            numbers.append(one.trial)
            least.append(min([one.error, *least[-1:]]))
    if least:
        # The last one holds to the end.
        numbers, least = [*numbers, result.trials[-1].trial], [*least, least[-1]]
        axes.step(numbers, least, where="post", color="C1", label="best so far")
    if all(one.error is None or one.error > 0 for one in result.trials):
        axes.set_yscale("log")
    axes.set_xlabel("trial")
    axes.set_ylabel("error of held-out examples")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend()


def _importance(axes: Axes, result: TuningResult) -> None:
    """Draws each setting's share of the errors' variance."""
    names = list(result.importance)[::-1]
    axes.barh(names, [result.importance[name] for name in names], color="C0", height=0.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the errors' variance")
