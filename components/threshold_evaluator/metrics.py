"""Metrics of reconstruction errors, and confidence intervals of those that few examples decide."""

import math
from typing import Any

import numpy as np
from scipy import optimize, stats
from sklearn import metrics as sklearn_metrics

from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.scores import Scores
from components.threshold_evaluator.threshold import is_anomaly
from pipeline_config import EvaluatorConfig, ThresholdEvaluatorConfig

Metrics = dict[str, float | None]
"""Metric name -> value; None if it is undefined on these errors."""

ALARM_RATE = "alarm_rate"
"""Metric of a detector: share of the unlabelled examples that it calls an anomaly."""

THRESHOLD_FREE = frozenset({"val_loss", "roc_auc", "pr_auc"})
"""Metrics of a detector that another threshold does not change."""

CONFIDENCE = 0.95
MOST_CLASSES = 50
"""Classes that are listed one by one; more of them are a label column that is none."""

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


def compute_metrics(config: EvaluationConfig, scores: Scores, threshold: float | None) -> Metrics:
    """Computes the metrics of the kind of model that `config` describes."""
    if config.is_detector:
        return detector_metrics(scores, threshold)
    return reconstruction_metrics(scores, noisy=config.noise > 0)


def detector_metrics(scores: Scores, threshold: float | None) -> Metrics:
    """Computes the metrics of a detector.

    `accuracy`, `precision`, `recall` and `f1` have *normal* as the positive class, as in the
    tutorial; an example is an anomaly if error > threshold. `anomaly_recall` is the share of
    the anomalies that are found, which the former four hide if anomalies are rare. `roc_auc` and
    `pr_auc` (average precision) rank by error with *anomaly* as the positive class. All of these
    are of the labelled examples. `val_loss` is the mean error of all examples, and `alarm_rate`
    the share of the unlabelled ones that are called an anomaly.

    Returns:
        All names of `ThresholdEvaluatorConfig.METRICS` if every example has a label; None for what
        is undefined: everything if an error is not finite, the areas if one class is absent,
        precision if nothing is called normal, `anomaly_recall` without an anomaly. If some
        examples have no label there is `alarm_rate` too, and what the labelled ones do not allow
        is left out: `recall` without a normal one, `anomaly_recall` without an anomaly, and all
        that takes both classes without both.
    """
    result: Metrics = dict.fromkeys(_detector_names(scores))
    if not _usable(scores.error):
        return result
    labelled = scores.is_labelled
    normal, errors = scores.is_normal[labelled], scores.error[labelled]
    values: Metrics = {"val_loss": _mean(scores.error)}
    if normal.any() and not normal.all():
        values["roc_auc"] = float(sklearn_metrics.roc_auc_score(~normal, errors))
        values["pr_auc"] = float(sklearn_metrics.average_precision_score(~normal, errors))
    if threshold is not None:
        alarm = is_anomaly(scores, threshold)
        if len(normal):
            values |= threshold_metrics(normal, ~alarm[labelled])
        if not labelled.all():
            values[ALARM_RATE] = float(np.mean(alarm[~labelled]))
    return {name: values.get(name) for name in result}


def class_recalls(scores: Scores, threshold: float | None) -> dict[str, dict[str, Any]]:
    """Returns how a detector does on each class by the class's own name in the data.

    Returns:
        Name -> `label` (`normal` or `abnormal`), `examples`, `alarms` (those called an anomaly)
        and `recall` (the share that is called what it is); of at most `MOST_CLASSES` classes,
        those with the most examples. Empty without a threshold or without names.
    """
    if threshold is None or scores.class_name is None:
        return {}
    named = scores.is_labelled & (scores.class_name != b"")
    alarm, normal = is_anomaly(scores, threshold), scores.is_normal
    names, counts = np.unique(scores.class_name[named], return_counts=True)
    largest = names[np.argsort(-counts, kind="stable")[:MOST_CLASSES]].tolist()
    result = {}
    for name in sorted(largest, key=_natural_order):
        of_class = named & (scores.class_name == name)
        is_normal = bool(normal[of_class].any())
        examples, alarms = int(of_class.sum()), int(alarm[of_class].sum())
        result[name.decode(errors="replace")] = {
            "label": "normal" if is_normal else "abnormal",
            "examples": examples,
            "alarms": alarms,
            "recall": (examples - alarms if is_normal else alarms) / examples,
        }
    return result


def reconstruction_metrics(scores: Scores, *, noisy: bool) -> Metrics:
    """Computes the metrics of a model that only reconstructs.

    `val_loss` and `noisy_mse` are means over all values of all examples (all examples have the
    same size, so the mean of the examples' errors is that mean). `psnr_gain_db` is what the model
    gains over doing nothing, 10 x log10(noisy_mse / val_loss): the difference of the two PSNRs,
    in which the peak value cancels out.

    Args:
        scores: Squared errors of the eval split.
        noisy: Whether noise was added; without it `val_loss` is the only metric.
    """
    names = EvaluatorConfig.METRICS if noisy else ("val_loss",)
    result: Metrics = dict.fromkeys(names)
    if not _usable(scores.error):
        return result
    result["val_loss"] = val_loss = _mean(scores.error)
    if noisy and _usable(scores.noisy_error):
        result["noisy_mse"] = noisy_mse = _mean(scores.noisy_error)
        if val_loss > 0 and noisy_mse > 0:
            result["psnr_gain_db"] = 10 * math.log10(noisy_mse / val_loss)
    return result


def confusion_matrix(scores: Scores, threshold: float) -> list[list[int]]:
    """Counts labelled examples, rows by true and columns by predicted class, normal first."""
    labelled = scores.is_labelled
    counts = sklearn_metrics.confusion_matrix(
        scores.is_abnormal[labelled],
        is_anomaly(scores, threshold)[labelled],
        labels=[False, True],
    )
    return [[int(count) for count in row] for row in counts]


def error_quantiles(scores: Scores) -> dict[str, float]:
    """Returns quantiles of the finite errors, keyed by their order; empty without any."""
    finite = scores.error[np.isfinite(scores.error)]
    if not len(finite):
        return {}
    return {
        str(order): float(value)
        for order, value in zip(QUANTILES, np.quantile(finite, QUANTILES), strict=True)
    }


def share_interval(found: int, total: int) -> tuple[float, float]:
    """Returns Wilson's score interval of a share, such as a recall, at the level of `CONFIDENCE`.

    E. B. Wilson: Probable inference, the law of succession, and statistical inference. Journal of
    the American Statistical Association 22 (1927).

    Args:
        found: How many were counted.
        total: Of how many; 1 or more.
    """
    low, high = stats.binomtest(found, total).proportion_ci(CONFIDENCE, method="wilson")
    return float(low), float(high)


def auc_interval(auc: float, positives: int, negatives: int) -> tuple[float, float]:
    """Returns an interval of the area under a ROC curve, by Hanley and McNeil's variance.

    J. A. Hanley, B. J. McNeil: The meaning and use of the area under a receiver operating
    characteristic (ROC) curve. Radiology 143 (1982). The variance is taken at the interval's ends
    rather than at `auc`, as in Wilson's interval, so that both ends are in 0..1 and an area of 1
    out of three examples is not taken for certain: R. G. Newcombe: Confidence intervals for an
    effect size measure based on the Mann-Whitney statistic, part 2. Statistics in Medicine 25
    (2006).

    Args:
        auc: The area, 0 to 1.
        positives: Examples of the one class; 1 or more.
        negatives: Examples of the other; 1 or more.
    """
    width = float(stats.norm.ppf((1 + CONFIDENCE) / 2))

    def excess(end: float) -> float:
        return abs(end - auc) - width * math.sqrt(_auc_variance(end, positives, negatives))

    # At an area of 0 or 1 itself there is no variance, and no other end of the interval there.
    least, greatest = 1e-9, 1 - 1e-9
    inner = min(max(auc, least), greatest)
    low = optimize.brentq(excess, least, inner) if excess(least) > 0 > excess(inner) else 0.0
    high = optimize.brentq(excess, inner, greatest) if excess(greatest) > 0 > excess(inner) else 1.0
    return float(low), float(high)


def _detector_names(scores: Scores) -> list[str]:
    """Returns the names of the metrics that a detector's examples allow."""
    if scores.is_labelled.all():
        return list(ThresholdEvaluatorConfig.METRICS)
    has_normal, has_abnormal = bool(scores.is_normal.any()), bool(scores.is_abnormal.any())
    allowed = {"val_loss": True, "recall": has_normal, "anomaly_recall": has_abnormal}
    names = [
        name
        for name in ThresholdEvaluatorConfig.METRICS
        if allowed.get(name, has_normal and has_abnormal)
    ]
    return [*names, ALARM_RATE]


def threshold_metrics(normal: np.ndarray, called_normal: np.ndarray) -> Metrics:
    """Returns the metrics of a threshold, of which `detector_metrics` says what they are.

    Args:
        normal: bool [N]; which labelled examples are normal; one or more.
        called_normal: bool [N]; which of them are not above the threshold.
    """
    values: Metrics = {"accuracy": float(sklearn_metrics.accuracy_score(normal, called_normal))}
    for name in ("precision", "recall", "f1"):
        function = getattr(sklearn_metrics, f"{name}_score")
        value = float(function(normal, called_normal, zero_division=np.nan))
        values[name] = None if math.isnan(value) else value
    if not normal.all():
        values["anomaly_recall"] = float(np.mean(~called_normal[~normal]))
    return values


def _natural_order(name: bytes) -> tuple[bool, int, bytes]:
    """Numbers by their size, before other names."""
    return (not name.isdigit(), int(name) if name.isdigit() else 0, name)


def _usable(errors: np.ndarray) -> bool:
    return len(errors) > 0 and bool(np.isfinite(errors).all())


def _mean(errors: np.ndarray) -> float:
    return float(np.mean(errors, dtype=np.float64))


def _auc_variance(auc: float, positives: int, negatives: int) -> float:
    """Hanley and McNeil's; `auc` squared stands in for two examples on one side of a third."""
    two_positives = auc / (2 - auc)
    two_negatives = 2 * auc**2 / (1 + auc)
    total = auc * (1 - auc)
    total += (positives - 1) * (two_positives - auc**2)
    total += (negatives - 1) * (two_negatives - auc**2)
    return max(total, 0.0) / (positives * negatives)
