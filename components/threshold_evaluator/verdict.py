"""From scores to a verdict: threshold, metrics and reasons."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from components.threshold_evaluator import gate
from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.intervals import CONFIDENCE, auc_interval, share_interval
from components.threshold_evaluator.metrics import (
    Metrics,
    Threshold,
    detector_metrics,
    reconstruction_metrics,
    set_threshold,
)
from components.threshold_evaluator.scoring import Scores
from pipeline_config import NORMAL_LABEL, ThresholdEvaluatorConfig

FEW_ANOMALIES = 30
"""Below it a recall's interval is wider than 0.3."""


@dataclasses.dataclass(frozen=True)
class ScoredBaseline:
    """An earlier blessed model, scored on the candidate's eval split.

    Attributes:
        uri: Of the model's artifact.
        artifact_id: Of the same.
        threshold: Its own; None for a model that only reconstructs.
        scores: Of the eval split.
    """

    uri: str
    artifact_id: int
    threshold: float | None
    scores: Scores


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the evaluator found.

    Attributes:
        threshold: Set from the training split; None for a model that only reconstructs.
        metrics: The candidate's, on the eval split.
        baseline_metrics: The baseline's, on the same split; None without a baseline.
        reasons: A sentence for each reason not to bless; none blesses.
        notes: What a reader has to know beside that.
        notices: The same, if it must not be missed.
    """

    threshold: Threshold | None
    metrics: Metrics
    baseline_metrics: Metrics | None
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    notices: tuple[str, ...] = ()

    @property
    def blessed(self) -> bool:
        """Whether nothing speaks against the model."""
        return not self.reasons

    @property
    def threshold_value(self) -> float | None:
        """The threshold alone."""
        return None if self.threshold is None else self.threshold.value


def judge(
    config: EvaluationConfig, scores: Mapping[str, Scores], baseline: ScoredBaseline | None
) -> Verdict:
    """Judges a candidate.

    Args:
        config: Bounds, tolerance and kind of model.
        scores: The candidate's, by split: `train` and `eval`.
        baseline: The latest blessed model, or None.
    """
    threshold = None
    if isinstance(config.gate, ThresholdEvaluatorConfig):
        threshold = set_threshold(scores["train"], config.gate.threshold_k)
    metrics = _metrics(config, scores["eval"], threshold.value if threshold else None)
    reasons = [*_faults(config, scores, threshold), *gate.broken_bounds(metrics, config.gate)]
    notes: list[str] = []
    baseline_metrics = None
    if baseline is not None:
        baseline_metrics = _metrics(config, baseline.scores, baseline.threshold)
        reasons += gate.worse_than_baseline(metrics, baseline_metrics, config.gate)
        if baseline_metrics.get(config.gate.baseline_metric) is None:
            notes.append(
                f"the baseline's {config.gate.baseline_metric} is undefined: nothing is compared"
            )
    notices = tuple(_few_anomalies(scores["eval"], metrics)) if config.is_detector else ()
    return Verdict(threshold, metrics, baseline_metrics, tuple(reasons), tuple(notes), notices)


def _metrics(config: EvaluationConfig, scores: Scores, threshold: float | None) -> Metrics:
    if config.is_detector:
        return detector_metrics(scores, threshold)
    return reconstruction_metrics(scores, noisy=config.noise > 0)


def _few_anomalies(scores: Scores, metrics: Metrics) -> Iterator[str]:
    """Yields how uncertain the figures are that a few anomalies stand behind."""
    anomalies = int(np.count_nonzero(scores.label != NORMAL_LABEL))
    if not 0 < anomalies < FEW_ANOMALIES:
        return
    figures = []
    if (recall := metrics["anomaly_recall"]) is not None:
        interval = share_interval(round(recall * anomalies), anomalies)
        figures.append(f"anomaly_recall {recall:.2f} may be {interval}")
    if (auc := metrics["roc_auc"]) is not None:
        interval = auc_interval(auc, anomalies, len(scores.label) - anomalies)
        figures.append(f"roc_auc {auc:.2f} may be {interval}")
    if figures:
        noun = "example" if anomalies == 1 else "examples"
        yield (
            f"only {anomalies} abnormal {noun} in the eval split: {', '.join(figures)} "
            f"({CONFIDENCE:.0%} confidence)"
        )


def _faults(
    config: EvaluationConfig, scores: Mapping[str, Scores], threshold: Threshold | None
) -> Iterator[str]:
    for split, of_split in scores.items():
        yield from gate.not_finite(split, of_split)
    if config.is_detector and threshold is None:
        yield "no threshold can be set: no normal training examples, or not all errors are finite"
