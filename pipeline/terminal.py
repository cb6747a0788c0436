"""What a person sees of a run: one tidy line a stage, then the result."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.outcome import RunOutcome
from pipeline_config import PipelineConfig

_STATUS_TEXT = {
    "pushed": "[bold green]blessed and pushed[/]",
    "no new data": "[bold green]no new data[/], nothing run",
    "unchanged": "[bold green]nothing changed[/], nothing pushed",
    "not_blessed": "[bold red]not blessed[/], nothing pushed",
    "data_refused": "[bold red]refused by the data gate[/], nothing trained or pushed",
    "failed": "[bold red]failed[/], nothing pushed",
}


class TerminalListener:
    """Prints a stage's line when it ends; the one that runs is shown as a spinner meanwhile.

    Args:
        console: Where to print.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.seconds: dict[str, float] = {}
        self.cached: list[str] = []

    def started(self, stage: str) -> None:
        """Announces the stage where the terminal can take the line back."""
        if self._console.is_terminal:
            self._console.print(f"  [dim]…[/] {stage}", end="\r")

    def finished(self, stage: str, seconds: float, cached: bool) -> None:
        """Prints the stage's line and keeps its time."""
        self.seconds[stage] = round(seconds, 3)
        if cached:
            self.cached.append(stage)
        note = "  [dim]cached[/]" if cached else ""
        self._console.print(f"  [green]✓[/] {stage:<20} {seconds:6.1f} s{note}")


def print_header(console: Console, config: PipelineConfig) -> None:
    """Prints which pipeline runs."""
    console.print(f"[bold]{config.name}[/]  {config.description}")


def print_notice(console: Console, notice: str) -> None:
    """Prints a line that must not be missed."""
    console.print(f"[bold black on yellow] {notice} [/]", soft_wrap=True)


def print_outcome(console: Console, outcome: RunOutcome) -> None:
    """Prints metrics, threshold, verdict, reasons and paths of one run."""
    for notice in outcome.notices:
        print_notice(console, notice)
    table = Table.grid(padding=(0, 2))
    for name, value in _rows(outcome):
        table.add_row(f"  {name}", value)
    console.print(table, soft_wrap=True)
    console.print()


def print_runs(outcomes: Sequence[RunOutcome]) -> None:
    """Prints a line a run: name, status, its first metric and what it pushed."""
    print_table(
        [
            {
                "run": outcome.run_id,
                "status": outcome.status,
                "data": outcome.data.source if outcome.data else None,
                "metric": "".join(
                    f"{name} {_figure(value)}" for name, value in list(outcome.metrics.items())[:1]
                ),
                "version": outcome.pushed.rpartition("/")[2] if outcome.pushed else None,
            }
            for outcome in outcomes
        ]
    )


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints rows of equal keys as a table, or that there are none."""
    console = Console()
    if not rows:
        console.print("nothing")
        return
    table = Table(box=None, header_style="bold")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console.print(table)


def _rows(outcome: RunOutcome) -> list[tuple[str, str]]:
    rows = [("verdict", _STATUS_TEXT[outcome.status])]
    rows += _span_rows(outcome)
    rows += [("because", reason) for reason in outcome.reasons]
    rows += [(name, _figure(value)) for name, value in outcome.metrics.items()]
    if outcome.threshold is not None:
        rows.append(("threshold", _figure(outcome.threshold)))
    paths = {"served model": outcome.pushed, "report": outcome.report, "log": outcome.log}
    rows += [(name, path) for name, path in paths.items() if path]
    if "total" in outcome.seconds:
        rows.append(("time", f"{outcome.seconds['total']:.1f} s"))
    return rows


def _span_rows(outcome: RunOutcome) -> list[tuple[str, str]]:
    if outcome.data is None or not outcome.data.spans:
        return []
    rows = [("spans", ", ".join(span.name for span in outcome.data.spans))]
    if outcome.data.previous_span and outcome.data.drift:
        drift = ", ".join(f"{name} {_figure(value)}" for name, value in outcome.data.drift.items())
        rows.append((f"drift from {outcome.data.previous_span.name}", drift))
    return rows


def _figure(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else "not defined"
