"""All strategies of setting a threshold, side by side on the eval split."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from components.threshold_evaluator.best_cut import best_accuracy
from components.threshold_evaluator.config import THRESHOLD_FIGURES
from components.threshold_evaluator.metrics import threshold_metrics
from components.threshold_evaluator.scores import Scores
from components.threshold_evaluator.strategies import STRATEGIES, own_settings, strategy_of
from components.threshold_evaluator.threshold import (
    FittingRows,
    NoThresholdError,
    Threshold,
    is_anomaly,
    set_threshold,
)
from pipeline_config import ThresholdEvaluatorConfig

Attempts = Mapping[str, Threshold | str]
"""Name of a strategy -> its threshold, or why there is none."""


def fit_all(gate: ThresholdEvaluatorConfig, rows: FittingRows) -> Attempts:
    """Fits every strategy with its settings on the same rows."""
    attempts: dict[str, Threshold | str] = {}
    for name in STRATEGIES:
        try:
            attempts[name] = set_threshold(strategy_of(gate, name), rows)
        except NoThresholdError as error:
            attempts[name] = str(error)
    return attempts


def compare(attempts: Attempts, chosen: str, scores: Scores) -> list[dict[str, Any]]:
    """Returns what each threshold does on the eval split.

    Args:
        attempts: `fit_all`.
        chosen: The strategy in force.
        scores: Of the eval split.

    Returns:
        An entry a strategy: `strategy`, `threshold` and `rule`, or `reason` why there is none;
        `is_chosen`; `uses_labels`; `alarms`, the eval examples above it; and of the labelled ones
        `accuracy`, `precision`, `recall` and `f1` with normal as the positive class as in the
        metrics, `anomaly_recall`, and `false_alarm_rate`, the share of the normal ones above it.
        What is undefined is None.
    """
    usable = len(scores.error) > 0 and bool(np.isfinite(scores.error).all())
    entries = []
    for name, attempt in attempts.items():
        found = attempt if isinstance(attempt, Threshold) else None
        value = found.value if found else None
        entries.append(
            {
                "strategy": name,
                "threshold": value,
                "rule": found.rule if found else None,
                "reason": None if found else attempt,
                "is_chosen": name == chosen,
                "uses_labels": STRATEGIES[name].uses_labels,
                "alarms": None,
                **dict.fromkeys(THRESHOLD_FIGURES),
                **(_figures(scores, value) if value is not None and usable else {}),
            }
        )
    return entries


def oracle(scores: Scores) -> dict[str, float] | None:
    """Returns the threshold with the greatest accuracy on the eval labels, and that accuracy.

    It knows the answers, so it is no result: it says how much another threshold could gain.

    Returns:
        `threshold` and `accuracy`; None without labelled examples of both classes.
    """
    normal, abnormal = scores.error[scores.is_normal], scores.error[scores.is_abnormal]
    if not len(normal) or not len(abnormal) or not np.isfinite(scores.error).all():
        return None
    threshold, accuracy = best_accuracy(normal, abnormal)
    return {"threshold": threshold, "accuracy": accuracy}


def settings_without_effect(gate: ThresholdEvaluatorConfig) -> Iterator[str]:
    """Yields a sentence for each setting that was changed and is of another strategy alone."""
    default = ThresholdEvaluatorConfig()
    in_force = own_settings(STRATEGIES[gate.threshold])
    owners: dict[str, list[str]] = {}
    for name, strategy in STRATEGIES.items():
        for setting in own_settings(strategy):
            owners.setdefault(setting, []).append(name)
    for setting, names in owners.items():
        value = getattr(gate, setting)
        if setting not in in_force and value != getattr(default, setting):
            yield (
                f"evaluator.{setting}={value:g} does not change the threshold, as it is a setting "
                f"of evaluator.threshold={' and '.join(names)}, and {gate.threshold} is in force"
            )


def _figures(scores: Scores, threshold: float) -> dict[str, float | None]:
    alarm, labelled = is_anomaly(scores, threshold), scores.is_labelled
    figures: dict[str, float | None] = {"alarms": int(np.count_nonzero(alarm))}
    if labelled.any():
        found = threshold_metrics(scores.is_normal[labelled], ~alarm[labelled])
        figures |= {name: found[name] for name in THRESHOLD_FIGURES if name in found}
    if scores.is_normal.any():
        figures["false_alarm_rate"] = float(np.mean(alarm[scores.is_normal]))
    return figures
