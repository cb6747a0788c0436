"""What a person sees of a run: one tidy line a stage, then the result."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from rich import filesize
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from data.facts import DataFacts
from pipeline.run.outcome import BOUND_ORIGINS, VERDICTS, RunOutcome
from pipeline_config import PipelineConfig

_GAP = 2
"""Blanks between two columns."""


def plain_console(file: TextIO | None = None, *, stderr: bool = False) -> Console:
    """Returns a console that prints each text as it is.

    rich reads `[archive]` in a path as a style and `:key:` as a picture; what aepipe prints holds
    paths and names of users, so it styles by `Text` alone.
    """
    return Console(file=file, stderr=stderr, markup=False, emoji=False, highlight=False)


def print_stage_started(console: Console, stage: str) -> None:
    """Announces a stage if the terminal can take the line back."""
    if console.is_terminal:
        console.print(Text.assemble(("  … ", "dim"), stage), end="\r")


def print_stage(console: Console, stage: str, seconds: float, *, cached: bool) -> None:
    """Prints the line of a stage that has ended."""
    note = ("  cached" if cached else "", "dim")
    console.print(
        Text.assemble(("  ✓ ", "green"), f"{stage:<20} {seconds:6.1f} s", note), soft_wrap=True
    )


def print_header(console: Console, config: PipelineConfig) -> None:
    """Prints which pipeline runs."""
    console.print(Text.assemble((config.name, "bold"), f"  {config.description}"), soft_wrap=True)


def print_data(console: Console, facts: DataFacts) -> None:
    """Prints which files a run reads, how many and how large."""
    noun = "file" if facts.files == 1 else "files"
    size = filesize.decimal(facts.bytes or 0)
    line = f"  data: {facts.source}, {facts.directory}, {facts.files} {noun}, {size}"
    console.print(line, soft_wrap=True)


def print_notice(console: Console, notice: str) -> None:
    """Prints a line that must not be missed."""
    console.print(Text(f" {notice} ", "bold black on yellow"), soft_wrap=True)


def print_outcome(console: Console, outcome: RunOutcome) -> None:
    """Prints metrics, threshold, verdict, reasons and paths of one run."""
    for notice in outcome.notices:
        print_notice(console, notice)
    print_fields(console, _rows(outcome))
    console.print()


def print_fields(console: Console, rows: Sequence[tuple[str, str | Text]]) -> None:
    """Prints a line a row: its name, then its value, never cut: a path stays one word."""
    width = max((cell_len(name) for name, _ in rows), default=0)
    for name, value in rows:
        padding = " " * (width - cell_len(name) + 2)
        console.print(Text.assemble(f"  {name}{padding}", value), soft_wrap=True)


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


def print_rows(rows: Sequence[Any], as_json: bool, key: str) -> None:
    """Prints dataclasses as a JSON list under `key`, or as a table."""
    values = [dataclasses.asdict(row) for row in rows]
    if as_json:
        print(json.dumps({key: values}, default=str))
    else:
        print_table(values)


def print_table(rows: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Prints rows of equal keys, or that there are none.

    They are a line each under a line of names, unless a terminal is too narrow for the longest:
    then each row is a block with a line a key, so that no name is cut.

    Args:
        rows: What to print; None is left empty.
        console: Where to; standard output by default.
    """
    console = console or plain_console()
    if not rows:
        console.print("nothing")
        return
    names = [name.replace("_", " ") for name in rows[0]]
    cells = [["" if value is None else str(value) for value in row.values()] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    if console.is_terminal and sum(widths) + _GAP * (len(widths) - 1) > console.width:
        for row in cells:
            print_fields(console, list(zip(names, row, strict=True)))
            console.print()
        return
    console.print(Text(_line(names, widths), "bold"), soft_wrap=True)
    for row in cells:
        console.print(Text(_line(row, widths)), soft_wrap=True)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)
    ]
    return (" " * _GAP).join(padded).rstrip()


def _rows(outcome: RunOutcome) -> list[tuple[str, str | Text]]:
    words, rest = VERDICTS[outcome.status]
    style = "bold green" if outcome.exit_code == 0 else "bold red"
    rows: list[tuple[str, str | Text]] = [("verdict", Text.assemble((words, style), rest))]
    if outcome.data:
        rows += _data_rows(outcome.data)
    rows += [("because", reason) for reason in outcome.reasons]
    rows += [(name, _figure(value)) for name, value in outcome.metrics.items()]
    rows += _class_rows(outcome.classes)
    if outcome.bounds:
        rows.append(("bounds", ", ".join(map(bound_in_words, outcome.bounds))))
    if outcome.threshold is not None:
        rows.append(("threshold", _figure(outcome.threshold)))
    paths = {"served model": outcome.pushed, "report": outcome.report, "log": outcome.log}
    rows += [(name, path) for name, path in paths.items() if path]
    if "total" in outcome.seconds:
        rows.append(("time", f"{outcome.seconds['total']:.1f} s"))
    return rows


def _class_rows(classes: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yields a row a class, if there are more than one normal and one abnormal class."""
    if len(classes) <= 2:
        return
    for name, of_class in classes.items():
        examples, alarms = of_class["examples"], of_class["alarms"]
        called = f"{alarms:,} of {examples:,} called an anomaly"
        yield f"class {name}", f"{of_class['label']}, {called}: recall {of_class['recall']:.4g}"


def _data_rows(data: DataFacts) -> Iterator[tuple[str, str]]:
    if data.examples:
        yield "examples", ", ".join(f"{split} {rows:,}" for split, rows in data.examples.items())
    if data.spans:
        yield "spans", ", ".join(span.name for span in data.spans)
    if data.spans and data.previous_span and data.drift:
        drift = ", ".join(f"{name} {_figure(value)}" for name, value in data.drift.items())
        yield f"drift from {data.previous_span.name}", drift


def bound_in_words(bound: Mapping[str, Any]) -> str:
    """Returns one of `RunOutcome.bounds`, such as "recall at least 0.75 (the tutorial's)"."""
    least = "at least" if bound["side"] == "lower" else "at most"
    return f"{bound['metric']} {least} {bound['value']:.4g} ({BOUND_ORIGINS[bound['origin']]})"


def _figure(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else "not defined"
