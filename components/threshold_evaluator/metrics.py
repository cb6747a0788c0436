"""Threshold and metrics from reconstruction errors."""

import dataclasses
import math

import numpy as np
from sklearn import metrics as sklearn_metrics

from components.threshold_evaluator.scoring import Scores
from pipeline_config import NORMAL_LABEL, EvaluatorConfig, ThresholdEvaluatorConfig

Metrics = dict[str, float | None]
"""Metric name -> value; None if it is undefined on these errors."""

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A detector's threshold and what it was set from.

    Attributes:
        value: mean + k x std, rounded to float32 as the served variable holds it.
        mean: Mean error of the normal training examples.
        std: Population standard deviation of the same errors (`ddof=0`, as in the tutorial).
        k: The factor.
        examples: How many normal training examples there were.
    """

    value: float
    mean: float
    std: float
    k: float
    examples: int


def set_threshold(train: Scores, k: float) -> Threshold | None:
    """Returns mean + `k` x std of the errors of the normal training examples.

    The rule of TensorFlow's "Intro to Autoencoders" tutorial, with k = 1 there. Sums are float64.

    Returns:
        None if there is no normal example, or an error of one is not finite.
    """
    errors = train.error[train.label == NORMAL_LABEL]
    if not _usable(errors):
        return None
    mean = float(np.mean(errors, dtype=np.float64))
    std = float(np.std(errors, dtype=np.float64))
    return Threshold(float(np.float32(mean + k * std)), mean, std, k, len(errors))


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


def is_anomaly(scores: Scores, threshold: float) -> np.ndarray:
    """Decides like the served model: bool [N], error > threshold in float32."""
    return scores.error > np.float32(threshold)


def error_quantiles(scores: Scores) -> dict[str, float]:
    """Returns quantiles of the finite errors, keyed by their order; empty without any."""
    finite = scores.error[np.isfinite(scores.error)]
    if not len(finite):
        return {}
    return {
        str(order): float(value)
        for order, value in zip(QUANTILES, np.quantile(finite, QUANTILES), strict=True)
    }


def _usable(errors: np.ndarray) -> bool:
    return len(errors) > 0 and bool(np.isfinite(errors).all())


def _mean(errors: np.ndarray) -> float:
    return float(np.mean(errors, dtype=np.float64))
