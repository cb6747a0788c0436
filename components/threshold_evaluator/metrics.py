"""Metrics of reconstruction errors, and confidence intervals of those that few examples decide."""

import math

import numpy as np
from scipy import optimize, stats
from sklearn import metrics as sklearn_metrics

from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.scores import Scores
from components.threshold_evaluator.threshold import is_anomaly
from pipeline_config import NORMAL_LABEL, EvaluatorConfig, ThresholdEvaluatorConfig

Metrics = dict[str, float | None]
"""Metric name -> value; None if it is undefined on these errors."""

CONFIDENCE = 0.95
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
    `pr_auc` (average precision) rank by error with *anomaly* as the positive class. `val_loss` is
    the mean error.

    Returns:
        All names of `ThresholdEvaluatorConfig.METRICS`; None for what is undefined: everything
        if an error is not finite, the areas if one class is absent, precision if
        nothing is called normal, `anomaly_recall` without an anomaly.
    """
    result: Metrics = dict.fromkeys(ThresholdEvaluatorConfig.METRICS)
    if not _usable(scores.error):
        return result
    result["val_loss"] = _mean(scores.error)
    normal = scores.label == NORMAL_LABEL
    if normal.any() and not normal.all():
        result["roc_auc"] = float(sklearn_metrics.roc_auc_score(~normal, scores.error))
        result["pr_auc"] = float(sklearn_metrics.average_precision_score(~normal, scores.error))
    if threshold is not None:
        called_normal = ~is_anomaly(scores, threshold)
        result["accuracy"] = float(sklearn_metrics.accuracy_score(normal, called_normal))
        for name in ("precision", "recall", "f1"):
            function = getattr(sklearn_metrics, f"{name}_score")
            value = float(function(normal, called_normal, zero_division=np.nan))
            result[name] = None if math.isnan(value) else value
        if not normal.all():
            result["anomaly_recall"] = float(np.mean(~called_normal[~normal]))
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
    """Counts examples, rows by true and columns by predicted class, normal before anomaly."""
    anomaly = scores.label != NORMAL_LABEL
    counts = sklearn_metrics.confusion_matrix(
        anomaly, is_anomaly(scores, threshold), labels=[False, True]
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
