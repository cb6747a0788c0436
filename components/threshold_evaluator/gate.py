"""What keeps a model from being blessed, in sentences."""

from collections.abc import Iterator, Mapping

import numpy as np

from components.threshold_evaluator.metrics import Metrics
from components.threshold_evaluator.scoring import Scores
from pipeline_config import EvaluatorConfig

LOWER_IS_BETTER = frozenset({"val_loss"})

_MEANINGS = {
    "anomaly_recall": ": too few of the anomalies are found; "
    "a lower evaluator.threshold_k finds more",
    "roc_auc": ": anomalies are reconstructed nearly as well as normal examples, "
    "so no threshold separates them",
}
"""What a bound that was missed says of a detector, if its figure does not."""


def broken_bounds(metrics: Metrics, gate: EvaluatorConfig) -> Iterator[str]:
    """Yields a sentence for each metric that is out of its bounds, or undefined."""
    yield from _broken(metrics, gate.lower_bounds, sign=1, relation="below the lower bound")
    yield from _broken(metrics, gate.upper_bounds, sign=-1, relation="above the upper bound")


def worse_than_baseline(
    metrics: Metrics, baseline: Metrics, gate: EvaluatorConfig
) -> Iterator[str]:
    """Yields a sentence if the candidate is worse than the baseline beyond the tolerance.

    The tolerance is `gate.baseline_tolerance` x |the baseline's value|. Nothing is compared if
    the baseline's own metric is undefined.
    """
    name = gate.baseline_metric
    candidate, reference = metrics.get(name), baseline.get(name)
    if reference is None:
        return
    if candidate is None:
        yield f"{name} is undefined, while the baseline's is {reference:.4g}"
        return
    slack = gate.baseline_tolerance * abs(reference)
    loss = candidate - reference if name in LOWER_IS_BETTER else reference - candidate
    if loss > slack:
        value, other = _distinguishable(candidate, reference)
        yield (
            f"{name} {value} is worse than the baseline's {other} "
            f"by more than the tolerance of {gate.baseline_tolerance:.4g} x {other}"
        )


def not_finite(split: str, scores: Scores) -> Iterator[str]:
    """Yields a sentence if a split has no examples, or errors that are no numbers."""
    if not len(scores.error):
        yield f"the {split} split has no examples"
        return
    broken = int(np.count_nonzero(~np.isfinite(scores.error)))
    if broken:
        yield (
            f"the reconstruction error of {broken} of {len(scores.error)} {split} examples "
            "is not a finite number"
        )


def _broken(
    metrics: Metrics, bounds: Mapping[str, float], *, sign: int, relation: str
) -> Iterator[str]:
    for name, bound in sorted(bounds.items()):
        value = metrics.get(name)
        if value is None:
            yield f"{name} is undefined, so it cannot be held against its bound {bound:.4g}"
        elif not sign * value >= sign * bound:
            shown, limit = _distinguishable(value, bound)
            yield f"{name} {shown} is {relation} {limit}{_MEANINGS.get(name, '')}"


def _distinguishable(first: float, second: float) -> tuple[str, str]:
    """Prints two numbers with as many digits as it takes to tell them apart, at least 4."""
    for digits in range(4, 18):
        texts = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts
