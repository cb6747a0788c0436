"""From scores to a verdict: threshold, metrics, and in sentences what keeps a model back."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.threshold_evaluator.bounds import (
    TUTORIAL_EXAMPLES,
    Bound,
    bounds_in_force,
    broken_bounds,
    distinguishable,
)
from components.threshold_evaluator.comparison import (
    compare,
    fit_all,
    oracle,
    settings_without_effect,
)
from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.metrics import (
    CONFIDENCE,
    Metrics,
    auc_interval,
    class_recalls,
    compute_metrics,
    share_interval,
)
from components.threshold_evaluator.scores import Scores, examples_digest
from components.threshold_evaluator.strategies import STRATEGIES
from components.threshold_evaluator.threshold import Threshold, fitting_rows, normal_errors
from pipeline_config import EvaluatorConfig, ThresholdEvaluatorConfig

FEW_ANOMALIES = 30
"""Below it a recall's interval is wider than 0.3."""

LOWER_IS_BETTER = frozenset({"val_loss"})


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
        threshold: Set from the training split or what is held out of it; None for a model that
            only reconstructs, or if none can be set.
        normal_errors: float32 [n]; see `threshold.normal_errors`; empty for a model that only
            reconstructs.
        comparison: All strategies on the eval split; see `comparison.compare`.
        oracle: See `comparison.oracle`.
        metrics: The candidate's, on the eval split.
        bounds: What the metrics were held against.
        classes: `class_recalls` of the eval split.
        reasons: A sentence for each reason not to bless; none blesses.
        notes: What a reader has to know beside that.
        notices: The same, if it must not be missed.
    """

    threshold: Threshold | None
    normal_errors: npt.NDArray[np.float32]
    comparison: tuple[dict[str, Any], ...]
    oracle: dict[str, float] | None
    metrics: Metrics
    bounds: tuple[Bound, ...]
    classes: dict[str, dict[str, Any]]
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
        scores: The candidate's, by split: `train`, `eval` and, if some of the training split is
            held out, `calibration`.
        baseline: The latest blessed model, or None.
        notes: Why there is no baseline, if there is none.
    """
    threshold, errors, comparison, best = None, np.empty(0, np.float32), [], None
    reasons = [reason for split in scores for reason in _unusable(split, scores[split])]
    if isinstance(config.gate, ThresholdEvaluatorConfig):
        rows = fitting_rows(scores, presumes_normal=config.presumes_normal)
        attempts = fit_all(config.gate, rows)
        chosen = attempts[config.gate.threshold]
        threshold = chosen if isinstance(chosen, Threshold) else None
        reasons += [] if isinstance(chosen, Threshold) else [chosen]
        errors = normal_errors(rows)
        comparison = compare(attempts, config.gate.threshold, scores["eval"])
        best = oracle(scores["eval"])
    evaluated, value = scores["eval"], threshold.value if threshold else None
    metrics = compute_metrics(config, evaluated, value)
    bounds = bounds_in_force(
        config.gate,
        metrics,
        is_tutorial=examples_digest(scores) in TUTORIAL_EXAMPLES,
        presumes_normal=config.presumes_normal,
    )
    reasons += broken_bounds(metrics, bounds, evaluated, config.gate)
    notes = [*notes, *(_missing_labels(evaluated) if config.is_detector else ())]
    if baseline is not None:
        compared = compared_metric(config.gate, metrics)
        reasons += worse_than_baseline(metrics, baseline.metrics, config.gate, compared)
        if compared != config.gate.baseline_metric:
            notes.append(
                f"{config.gate.baseline_metric} cannot be measured on these examples: "
                f"the baseline is compared by {compared}"
            )
        if baseline.metrics.get(compared) is None:
            notes.append(f"the baseline's {compared} is undefined: nothing is compared")
    classes, notices = {}, []
    if isinstance(config.gate, ThresholdEvaluatorConfig):
        classes = class_recalls(evaluated, value)
        notices = [
            *_few_anomalies(evaluated, metrics),
            *_blind(evaluated, metrics, config.gate),
            *settings_without_effect(config.gate),
        ]
        if threshold and STRATEGIES[threshold.strategy].uses_labels:
            notes.append(f"the threshold was set with labelled anomalies of {threshold.split}")
    return Verdict(
        threshold,
        errors,
        tuple(comparison),
        best,
        metrics,
        tuple(bounds),
        classes,
        tuple(reasons),
        tuple(notes),
        tuple(notices),
    )


def compared_metric(gate: EvaluatorConfig, metrics: Metrics) -> str:
    """Returns what a candidate is compared by: `val_loss` if its metric takes labels it lacks."""
    return gate.baseline_metric if gate.baseline_metric in metrics else "val_loss"


def worse_than_baseline(
    metrics: Metrics, baseline: Metrics, gate: EvaluatorConfig, name: str
) -> Iterator[str]:
    """Yields a sentence if the candidate is worse than the baseline beyond the tolerance.

    The tolerance is `gate.baseline_tolerance` x |the baseline's value|. Nothing is compared if
    the baseline's own metric is undefined.

    Args:
        metrics: The candidate's.
        baseline: The baseline's, on the same examples.
        gate: The settings.
        name: The metric to compare; see `compared_metric`.
    """
    candidate, reference = metrics.get(name), baseline.get(name)
    if reference is None:
        return
    if candidate is None:
        yield f"{name} is undefined, while the baseline's is {reference:.4g}"
        return
    slack = gate.baseline_tolerance * abs(reference)
    loss = candidate - reference if name in LOWER_IS_BETTER else reference - candidate
    if loss > slack:
        value, other = distinguishable(candidate, reference)
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


def _missing_labels(scores: Scores) -> Iterator[str]:
    """Yields what is not measured, if some examples have no label."""
    labelled = int(np.count_nonzero(scores.is_labelled))
    if labelled == len(scores.label):
        return
    if not labelled:
        yield "no eval example has a label: what takes labels is not measured"
        return
    abnormal = int(np.count_nonzero(scores.is_abnormal))
    measured = f"{labelled:,} of {len(scores.label):,} eval examples have a label"
    if 0 < abnormal < labelled:
        yield f"{measured}: what takes labels is measured on these"
    else:
        one = "abnormal" if abnormal else "normal"
        yield f"{measured}, all of them {one}: what takes both classes is not measured"


def _blind(scores: Scores, metrics: Metrics, gate: ThresholdEvaluatorConfig) -> Iterator[str]:
    """Yields that a detector finds no anomaly of many, or calls everything one."""
    strategy = STRATEGIES[gate.threshold]
    anomalies = np.count_nonzero(scores.is_abnormal)
    if metrics.get("anomaly_recall") == 0 and anomalies >= FEW_ANOMALIES:
        yield (
            f"none of the {anomalies:,} abnormal eval examples is found: "
            f"{strategy.lower} finds more"
        )
    if metrics.get("recall") == 0:
        yield (
            f"none of the {np.count_nonzero(scores.is_normal):,} normal eval examples is called "
            f"normal: {strategy.higher} raises fewer alarms"
        )


def _few_anomalies(scores: Scores, metrics: Metrics) -> Iterator[str]:
    """Yields how uncertain the figures are that rest on a few anomalies."""
    anomalies = int(np.count_nonzero(scores.is_abnormal))
    if not 0 < anomalies < FEW_ANOMALIES:
        return
    figures = []
    if (recall := metrics.get("anomaly_recall")) is not None:
        low, high = share_interval(round(recall * anomalies), anomalies)
        figures.append(f"anomaly_recall {recall:.2f} may be {low:.2f} to {high:.2f}")
    if (auc := metrics.get("roc_auc")) is not None:
        low, high = auc_interval(auc, anomalies, int(np.count_nonzero(scores.is_normal)))
        figures.append(f"roc_auc {auc:.2f} may be {low:.2f} to {high:.2f}")
    if figures:
        noun = "example" if anomalies == 1 else "examples"
        yield (
            f"only {anomalies} abnormal {noun} in the eval split: {', '.join(figures)} "
            f"({CONFIDENCE:.0%} confidence)"
        )
