"""The result of a search, as shown on the terminal, in `tune --json` and in the run's report."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from pipeline.terminal import print_fields, print_table
from serving.push_directory import durable_files

TUNING_FILE = "tuning.json"
"""In the run's folder; written anew after each trial."""

State = Literal["complete", "pruned", "failed"]


@dataclasses.dataclass(frozen=True)
class TrialResult:
    """One training.

    Attributes:
        trial: Its number in the study, from 0.
        state: `complete`; `pruned`: ended early, as it was worse than the others by then;
            `failed`.
        error: Mean reconstruction error of the held-out examples, that of the last epoch if the
            trial was pruned; None if it failed.
        seconds: How long it took.
        settings: Full name of each searched setting -> the value that was tried.
        reason: Why it failed, or None.
    """

    trial: int
    state: State
    error: float | None
    seconds: float
    settings: dict[str, Any]
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class TuningResult:
    """A study so far.

    Attributes:
        objective: What `error` is the mean of, in a sentence.
        study: The file that keeps the study.
        default: Number of the trial with the pipeline's own settings; None if it did not complete.
        best: Number of the trial with the least error of those that completed; None without one.
        trials: All trials of the study, in order.
        importance: Searched setting -> its share of the errors' variance (0 to 1, sum 1), by
            fANOVA; empty with fewer than four completed trials.
        assignments: The best values, as `--set` takes them.
        toml: The best values as a file for `--config`.
    """

    objective: str
    study: str
    default: int | None = None
    best: int | None = None
    trials: list[TrialResult] = dataclasses.field(default_factory=list)
    importance: dict[str, float] = dataclasses.field(default_factory=dict)
    assignments: list[str] = dataclasses.field(default_factory=list)
    toml: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Returns the result as JSON values."""
        return dataclasses.asdict(self)

    def error_of(self, number: int | None) -> float | None:
        """Returns the error of a trial; None of none."""
        return next((one.error for one in self.trials if one.trial == number), None)


def write_result(result: TuningResult, directory: Path) -> None:
    """Writes a result into a run's folder."""
    durable_files.write_text(directory / TUNING_FILE, json.dumps(result.as_dict()))


def read_result(directory: Path) -> TuningResult | None:
    """Returns the result in a run's folder; None if there is none."""
    try:
        values = json.loads((directory / TUNING_FILE).read_text())
    except FileNotFoundError:
        return None
    trials = [TrialResult(**one) for one in values.pop("trials")]
    return TuningResult(**values, trials=trials)


def print_result(console: Console, result: TuningResult) -> None:
    """Prints the trials, and the best values as `--set` and as TOML."""
    print_table([_row(one, result) for one in result.trials], console)
    console.print()
    best, default = result.error_of(result.best), result.error_of(result.default)
    if best is None:
        return
    rows = [("objective", result.objective), ("best", f"trial {result.best}, error {best:.6g}")]
    if default is not None:
        rows.append(("default", f"trial {result.default}, error {default:.6g}"))
    if default and result.best != result.default:
        rows.append(("gain", f"{1 - best / default:.1%} less error"))
    rows.append(("settings", " ".join(f"--set {each}" for each in result.assignments)))
    rows.append(("study", result.study))
    print_fields(console, rows)
    console.print(f"\n{result.toml}", soft_wrap=True)


def _row(one: TrialResult, result: TuningResult) -> dict[str, Any]:
    marks = {result.best: "best", result.default: "default"}
    return {
        "trial": one.trial,
        "state": one.state,
        "error": None if one.error is None else f"{one.error:.6g}",
        "seconds": f"{one.seconds:.1f}",
        **{
            name: f"{value:.4g}" if isinstance(value, float) else value
            for name, value in one.settings.items()
        },
        "note": one.reason or marks.get(one.trial),
    }
