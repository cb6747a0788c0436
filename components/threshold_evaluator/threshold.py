"""The threshold rule of a detector: mean + k x standard deviation of normal training errors."""

import dataclasses

import numpy as np

from components.threshold_evaluator.scores import Scores
from pipeline_config import normal_labels

MOST_NORMAL_ERRORS = 100_000
"""Normal errors that a served model keeps at most: 0.4 MB."""


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A detector's threshold and what it was set from.

    Attributes:
        value: mean + k x std, rounded to float32 as the served variable holds it.
        mean: Mean error of the normal training examples, with those presumed normal.
        std: Population standard deviation of the same errors (`ddof=0`, as in the tutorial).
        k: The factor.
        examples: How many of these there were.
    """

    value: float
    mean: float
    std: float
    k: float
    examples: int


def set_threshold(train: Scores, k: float, *, presumes_normal: bool = True) -> Threshold | None:
    """Returns mean + `k` x std of the errors of the normal training examples.

    The rule of TensorFlow's "Intro to Autoencoders" tutorial, with k = 1 there. Sums are float64.

    Args:
        train: Of the training split.
        k: The factor.
        presumes_normal: Whether examples without a label count as normal.

    Returns:
        None if there is no such example, or an error of one is not finite.
    """
    errors = _errors_of_normals(train, presumes_normal=presumes_normal)
    if not len(errors) or not np.isfinite(errors).all():
        return None
    mean = float(np.mean(errors, dtype=np.float64))
    std = float(np.std(errors, dtype=np.float64))
    return Threshold(float(np.float32(mean + k * std)), mean, std, k, len(errors))


def normal_errors(train: Scores, *, presumes_normal: bool = True) -> np.ndarray:
    """Returns the errors that the served model's p-values are found by: float32 [n], ascending.

    Of more than `MOST_NORMAL_ERRORS` those at evenly spaced ranks are kept, each rounded up, so
    that a p-value is still no smaller than its promise.

    Args:
        train: Of the split that the threshold is set from.
        presumes_normal: Whether examples without a label count as normal.
    """
    errors = np.sort(_errors_of_normals(train, presumes_normal=presumes_normal))
    if len(errors) > MOST_NORMAL_ERRORS:
        kept = np.arange(1, MOST_NORMAL_ERRORS + 1)
        # In integers, as a float's last bit would move a rank.
        ranks = -(-(len(errors) + 1) * kept // (MOST_NORMAL_ERRORS + 1))
        errors = errors[ranks - 1]
    return errors.astype(np.float32)


def _errors_of_normals(scores: Scores, *, presumes_normal: bool) -> np.ndarray:
    return scores.error[np.isin(scores.label, normal_labels(presumes_normal=presumes_normal))]


def is_anomaly(scores: Scores, threshold: float) -> np.ndarray:
    """Decides like the served model: bool [N], error > threshold in float32."""
    return scores.error > np.float32(threshold)
