"""From scores to a verdict: threshold, metrics and reasons."""

import dataclasses
from collections.abc import Iterator, Mapping

from components.threshold_evaluator import gate
from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.metrics import (
    Metrics,
    Threshold,
    detector_metrics,
    reconstruction_metrics,
    set_threshold,
)
from components.threshold_evaluator.scoring import Scores
from pipeline_config import ThresholdEvaluatorConfig


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
    """

    threshold: Threshold | None
    metrics: Metrics
    baseline_metrics: Metrics | None
    reasons: tuple[str, ...]
    notes: tuple[str, ...]

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
    return Verdict(threshold, metrics, baseline_metrics, tuple(reasons), tuple(notes))


def _metrics(config: EvaluationConfig, scores: Scores, threshold: float | None) -> Metrics:
    if config.is_detector:
        return detector_metrics(scores, threshold)
    return reconstruction_metrics(scores, noisy=config.noise > 0)


def _faults(
    config: EvaluationConfig, scores: Mapping[str, Scores], threshold: Threshold | None
) -> Iterator[str]:
    for split, of_split in scores.items():
        yield from gate.not_finite(split, of_split)
    if config.is_detector and threshold is None:
        yield "no threshold can be set: no normal training examples, or not all errors are finite"
