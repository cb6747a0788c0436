"""What `detection.py` reports: measures of one result, their means over seeds, ranks over sets."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from rich.table import Table
from scipy.stats import rankdata
from sklearn import metrics


@dataclasses.dataclass(frozen=True)
class Measures:
    """How one fitted detector does on the eval split.

    Attributes:
        roc_auc: Area under the ROC curve.
        pr_auc: Average precision, anomalies positive.
        oracle_accuracy: Accuracy at the best threshold there is for these very labels; no detector
            can know it.
        accuracy: At the chosen threshold, as all that follows; None without one.
        f1: Normal examples positive, as in the tutorial.
        false_alarm_rate: Share of the normal examples above the threshold.
        promised: What the threshold's rule says that this share is at most, on average.
        seconds: To train; of the pipelines, of the Trainer stage.
    """

    roc_auc: float
    pr_auc: float
    oracle_accuracy: float
    accuracy: float | None = None
    f1: float | None = None
    false_alarm_rate: float | None = None
    promised: float | None = None
    seconds: float | None = None


def measure(
    scores: np.ndarray,
    is_abnormal: np.ndarray,
    threshold: float | None,
    *,
    promised: float | None = None,
    seconds: float | None = None,
) -> Measures:
    """Returns the measures of scores; above the threshold is an anomaly.

    Args:
        scores: float [N].
        is_abnormal: bool [N]; both kinds occur.
        threshold: None if there is none.
        promised: Passed on.
        seconds: Passed on.
    """
    at_threshold: dict[str, float] = {}
    if threshold is not None:
        alarm = scores > threshold
        at_threshold = {
            "accuracy": float(metrics.accuracy_score(is_abnormal, alarm)),
            "f1": float(metrics.f1_score(~is_abnormal, ~alarm, zero_division=0.0)),
            "false_alarm_rate": float(alarm[~is_abnormal].mean()),
        }
    return Measures(
        roc_auc=float(metrics.roc_auc_score(is_abnormal, scores)),
        pr_auc=float(metrics.average_precision_score(is_abnormal, scores)),
        oracle_accuracy=oracle_accuracy(scores, is_abnormal),
        promised=promised,
        seconds=seconds,
        **at_threshold,
    )


def oracle_accuracy(scores: np.ndarray, is_abnormal: np.ndarray) -> float:
    """Returns the accuracy at the threshold that is best for these labels."""
    false_alarms, found, _ = metrics.roc_curve(is_abnormal, scores, drop_intermediate=False)
    share = is_abnormal.mean()
    return float(np.max(share * found + (1 - share) * (1 - false_alarms)))


def mean_sd(values: Sequence[float | None]) -> tuple[float, float] | None:
    """Returns mean and sample standard deviation (0 of one value); None if a value is missing."""
    present = [value for value in values if value is not None]
    if not present or len(present) < len(values):
        return None
    return float(np.mean(present)), float(np.std(present, ddof=1)) if len(present) > 1 else 0.0


@dataclasses.dataclass(frozen=True)
class OverallResult:
    """One method over all sets.

    Attributes:
        method: Its name.
        sets: How many sets it has a result of.
        mean_auc: Mean over sets of the ROC AUC's mean over seeds.
        mean_rank: Mean over sets of its place by that AUC, 1 the best; equal ones share a place.
        behind: Greatest distance to the best method of a set.
        behind_on: That set.
    """

    method: str
    sets: int
    mean_auc: float
    mean_rank: float
    behind: float
    behind_on: str


def overall_results(aucs: Mapping[str, Mapping[str, float]]) -> list[OverallResult]:
    """Returns all methods, the best mean AUC first.

    Args:
        aucs: Set -> method -> mean ROC AUC; a method without a result on a set is absent there.
    """
    auc_of: dict[str, dict[str, float]] = {}
    rank_of: dict[str, dict[str, float]] = {}
    for name, by_method in aucs.items():
        ranks = rankdata([-auc for auc in by_method.values()])
        for (method, auc), rank in zip(by_method.items(), ranks, strict=True):
            auc_of.setdefault(method, {})[name] = auc
            rank_of.setdefault(method, {})[name] = float(rank)
    best = {name: max(by_method.values()) for name, by_method in aucs.items() if by_method}
    result = []
    for method, by_set in auc_of.items():
        worst = max(by_set, key=lambda name: best[name] - by_set[name])
        result.append(
            OverallResult(
                method,
                len(by_set),
                float(np.mean(list(by_set.values()))),
                float(np.mean(list(rank_of[method].values()))),
                best[worst] - by_set[worst],
                worst,
            )
        )
    return sorted(result, key=lambda one: -one.mean_auc)


_COLUMNS = {
    "ROC AUC": "roc_auc",
    "PR AUC": "pr_auc",
    "accuracy": "accuracy",
    "F1": "f1",
    "oracle accuracy": "oracle_accuracy",
    "false alarms": "false_alarm_rate",
}


def set_table(title: str, methods: Mapping[str, Sequence[Measures]]) -> Table:
    """Returns a row a method: mean ± standard deviation over the seeds."""
    table = Table(box=None, title=title, title_justify="left")
    for column in ("", *_COLUMNS, "promised", "seconds"):
        table.add_column(column, no_wrap=True, justify="right" if column else "left")
    for method, results in methods.items():
        cells = [_cell([getattr(one, name) for one in results]) for name in _COLUMNS.values()]
        promised, seconds = results[0].promised, mean_sd([one.seconds for one in results])
        table.add_row(
            method,
            *cells,
            "" if promised is None else f"{promised:g}",
            "" if seconds is None else f"{seconds[0]:.1f}" if seconds[0] >= 0.05 else "< 0.1",
        )
    return table


def overall_table(found: Sequence[OverallResult]) -> Table:
    """Returns a row a method, over all sets."""
    table = Table("", "sets", "mean ROC AUC", "mean rank", "most behind the best", "on", box=None)
    for one in found:
        figures = (f"{one.mean_auc:.3f}", f"{one.mean_rank:.2f}", f"{one.behind:.3f}")
        table.add_row(one.method, str(one.sets), *figures, one.behind_on)
    return table


def _cell(values: Sequence[float | None]) -> str:
    found = mean_sd(values)
    if found is None or math.isnan(found[0]):
        return ""
    mean, sd = found
    return f"{mean:.3f} ± {sd:.3f}" if len(values) > 1 else f"{mean:.3f}"
