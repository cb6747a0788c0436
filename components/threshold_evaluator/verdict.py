"""From scores to a verdict: threshold, metrics, and in sentences what keeps a model back."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.metrics import (
    CONFIDENCE,
    Metrics,
    auc_interval,
    compute_metrics,
    share_interval,
)
from components.threshold_evaluator.scores import Scores
from components.threshold_evaluator.threshold import Threshold, set_threshold
from pipeline_config import NORMAL_LABEL, EvaluatorConfig, ThresholdEvaluatorConfig

FEW_ANOMALIES = 30
"""Below it a recall's interval is wider than 0.3."""

LOWER_IS_BETTER = frozenset({"val_loss"})

_MEANINGS = {
    "anomaly_recall": ": too few of the anomalies are found; "
    "a lower evaluator.threshold_k finds more",
    "roc_auc": ": anomalies are reconstructed nearly as well as normal examples, "
    "so no threshold separates them",
}
"""What a bound that was missed says of a detector, if its figure does not."""


@dataclasses.dataclass(frozen=True)
class Baseline:
    """An earlier blessed model, as it does on the candidate's eval split.

    Attributes:
        uri: Of the model's artifact.
        artifact_id: Of the same.
        threshold: Its own; None for a model that only reconstructs.
        metrics: Of the eval split.
    """

    uri: str
    artifact_id: int
    threshold: float | None
    metrics: Metrics


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the evaluator found.

    Attributes:
        threshold: Set from the training split; None for a model that only reconstructs.
        metrics: The candidate's, on the eval split.
        reasons: A sentence for each reason not to bless; none blesses.
        notes: What a reader has to know beside that.
        notices: The same, if it must not be missed.
    """

    threshold: Threshold | None
    metrics: Metrics
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    notices: tuple[str, ...]

    @property
    def blessed(self) -> bool:
        """Whether nothing speaks against the model."""
        return not self.reasons

    @property
    def threshold_value(self) -> float | None:
        """The threshold alone."""
        return None if self.threshold is None else self.threshold.value


def judge(
    config: EvaluationConfig,
    scores: Mapping[str, Scores],
    baseline: Baseline | None,
    notes: Sequence[str] = (),
) -> Verdict:
    """Judges a candidate.

    Args:
        config: Bounds, tolerance and kind of model.
        scores: The candidate's, by split: `train` and `eval`.
        baseline: The latest blessed model, or None.
        notes: Why there is no baseline, if there is none.
    """
    threshold = None
    reasons = [reason for split in scores for reason in _unusable(split, scores[split])]
    if isinstance(config.gate, ThresholdEvaluatorConfig):
        threshold = set_threshold(scores["train"], config.gate.threshold_k)
        if threshold is None:
            reasons.append(
                "no threshold can be set: no normal training examples, or not all errors are finite"
            )
    metrics = compute_metrics(config, scores["eval"], threshold.value if threshold else None)
    reasons += broken_bounds(metrics, config.gate)
    if baseline is not None:
        reasons += worse_than_baseline(metrics, baseline.metrics, config.gate)
        if baseline.metrics.get(config.gate.baseline_metric) is None:
            undefined = f"the baseline's {config.gate.baseline_metric} is undefined"
            notes = [*notes, f"{undefined}: nothing is compared"]
    notices = _few_anomalies(scores["eval"], metrics) if config.is_detector else ()
    return Verdict(threshold, metrics, tuple(reasons), tuple(notes), tuple(notices))


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


def _unusable(split: str, scores: Scores) -> Iterator[str]:
    if not len(scores.error):
        yield f"the {split} split has no examples"
    elif broken := int(np.count_nonzero(~np.isfinite(scores.error))):
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


def _few_anomalies(scores: Scores, metrics: Metrics) -> Iterator[str]:
    """Yields how uncertain the figures are that rest on a few anomalies."""
    anomalies = int(np.count_nonzero(scores.label != NORMAL_LABEL))
    if not 0 < anomalies < FEW_ANOMALIES:
        return
    figures = []
    if (recall := metrics["anomaly_recall"]) is not None:
        low, high = share_interval(round(recall * anomalies), anomalies)
        figures.append(f"anomaly_recall {recall:.2f} may be {low:.2f} to {high:.2f}")
    if (auc := metrics["roc_auc"]) is not None:
        low, high = auc_interval(auc, anomalies, len(scores.label) - anomalies)
        figures.append(f"roc_auc {auc:.2f} may be {low:.2f} to {high:.2f}")
    if figures:
        noun = "example" if anomalies == 1 else "examples"
        yield (
            f"only {anomalies} abnormal {noun} in the eval split: {', '.join(figures)} "
            f"({CONFIDENCE:.0%} confidence)"
        )


def _distinguishable(first: float, second: float) -> tuple[str, str]:
    """Prints two numbers with as many digits as it takes to tell them apart, at least 4."""
    for digits in range(4, 18):
        texts = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts
