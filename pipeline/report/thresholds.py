"""What the report says of a detector's threshold, and of those that it might have had."""

from collections.abc import Mapping
from typing import Any

from components.threshold_evaluator.config import THRESHOLD_FIGURES
from pipeline_config import CALIBRATION_SPLIT


def threshold_in_words(evaluation: Mapping[str, Any], *, all_labelled: bool) -> str:
    """Returns what the threshold is and came from, for a sentence's end.

    Args:
        evaluation: The run's `evaluation.json`, of this version or an earlier one.
        all_labelled: Whether every example has a label.
    """
    found = evaluation.get("threshold_from")
    text = "a reconstruction error above it is an anomaly"
    if not found:
        return text
    # A run of before there were other strategies recorded the numbers of its one rule alone.
    rule = found.get("rule") or (
        f"mean {found['mean']:.4g} + {found['k']:.4g} x standard deviation {found['std']:.4g}"
    )
    strategy = found.get("strategy", "mean_std")
    kind = "normal" if all_labelled else "normal or presumed normal"
    split = "held-out" if found.get("split") == CALIBRATION_SPLIT else "training"
    shown = f"{text}: {rule.replace(' x ', ' × ')}"  # noqa: RUF001 - a sign of multiplication.
    # Of the rows with labels, which the rule has named.
    of_labels = any(one["is_chosen"] and one["uses_labels"] for one in _compared(evaluation))
    if of_labels:
        return f"{shown}, {split} ones, by their labels (evaluator.threshold={strategy})"
    return f"{shown} of {found['examples']:,} {kind} {split} examples"


def threshold_rows(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns a row a strategy, as it is shown; none for a run that did not compare any.

    Each has `name`, `threshold`, `rule` (or why there is no threshold), `alarms`, `figures` (a
    text each of `threshold_figures`), `is_chosen` and `uses_labels`.
    """
    return [
        {
            "name": entry["strategy"],
            "threshold": _number(entry["threshold"]),
            "rule": entry["rule"] or entry["reason"],
            "alarms": "" if entry["alarms"] is None else f"{entry['alarms']:,}",
            "figures": [_number(entry[name]) for name in threshold_figures(evaluation)],
            "is_chosen": entry["is_chosen"],
            "uses_labels": entry["uses_labels"],
        }
        for entry in _compared(evaluation)
    ]


def threshold_figures(evaluation: Mapping[str, Any]) -> list[str]:
    """Returns the names of the figures that any strategy has."""
    compared = _compared(evaluation)
    return [
        name for name in THRESHOLD_FIGURES if any(entry[name] is not None for entry in compared)
    ]


def _compared(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(evaluation.get("thresholds", []))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
