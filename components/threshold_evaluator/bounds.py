"""Which bounds a model is held against, whose they are, and in sentences which it misses."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
from scipy import stats

from components.threshold_evaluator.metrics import ALARM_RATE, Metrics
from components.threshold_evaluator.scores import Scores
from components.threshold_evaluator.strategies import STRATEGIES
from pipeline_config import EvaluatorConfig, ThresholdEvaluatorConfig

Side = Literal["lower", "upper"]
Origin = Literal["setting", "tutorial", "default"]

CHANCE = 0.5
"""`roc_auc` of errors that say nothing about the labels."""

SIGNIFICANCE = 0.2
"""How often errors that say nothing about the labels may pass the default bound of `roc_auc`. A
stricter test would refuse a hard data set with few rows: an area of 0.61 on 29 abnormal and 18
normal ones has a p-value of 0.1."""

TUTORIAL_EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "d385756c5221b68957dbd3c1cdc6d68f": "ecg.csv",
        "99b5cdba05e688238bded8cc0524998d": "Fashion-MNIST",
        "fe29de26076e497cbd04f1b4819277fa": "the built-in sample of ecg.csv",
        "63fd7bdcabb96b3e486c207594835070": "the built-in sample of Fashion-MNIST",
    }
)
"""Digests of the examples in the tutorial's files and in the samples that stand in for them; see
`scores.examples_digest`. They are of content: another split, order,
compression or way of storing the files changes nothing, another reading of the labels does."""

_NOT_SEPARATED = (
    ": anomalies are reconstructed nearly as well as normal examples, so no threshold separates "
    "them"
)


@dataclasses.dataclass(frozen=True)
class Bound:
    """What a metric has to reach, or not to exceed.

    Attributes:
        metric: Its name.
        side: `lower`: the least value that is blessed; `upper`: the greatest.
        value: The bound.
        origin: `setting`: the user's own; `tutorial`: it counts for the tutorial's own examples
            alone; `default`: it counts for all other data and is free of a threshold.
    """

    metric: str
    side: Side
    value: float
    origin: Origin

    @property
    def owner(self) -> str:
        """Whose bound it is, in words."""
        if self.origin == "tutorial":
            return "the tutorial's"
        if self.metric == ALARM_RATE:
            return f"evaluator.{ALARM_RATE}_{'least' if self.side == 'lower' else 'most'}"
        if self.origin == "setting":
            return f"your setting evaluator.{self.side}_bounds.{self.metric}"
        return "the default for data other than the tutorial's"

    def is_missed(self, value: float) -> bool:
        """Whether a value is out of this bound; one that is not a number is."""
        return not (value >= self.value if self.side == "lower" else value <= self.value)


def bounds_in_force(
    gate: EvaluatorConfig, metrics: Metrics, *, is_tutorial: bool, presumes_normal: bool = True
) -> list[Bound]:
    """Returns the bounds that a model is held against, sorted by side and metric.

    The user's settings always count. The tutorial's bounds count for the tutorial's own examples,
    as they were chosen for these. For other data there is what holds whatever the data are: of a
    detector with labels, that it is better than chance; of a denoiser, than doing nothing.

    Args:
        gate: The settings.
        metrics: Those measured; a bound that is not the user's asks for no others.
        is_tutorial: Whether the examples are the tutorial's.
        presumes_normal: Whether unlabelled examples are presumed normal, so that few of them may
            raise an alarm.
    """
    defined = {name for name, value in metrics.items() if value is not None}
    chance = {"roc_auc": CHANCE, "psnr_gain_db": 0.0}
    found = _bounds({name: chance[name] for name in defined & chance.keys()}, {}, "default")
    if is_tutorial:
        found = _bounds(gate.tutorial_lower_bounds, gate.tutorial_upper_bounds, "tutorial")
    if isinstance(gate, ThresholdEvaluatorConfig) and presumes_normal:
        found |= _alarm_bounds(gate)
    found = {key: bound for key, bound in found.items() if bound.metric in metrics}
    found |= _bounds(gate.lower_bounds, gate.upper_bounds, "setting")
    return [found[key] for key in sorted(found)]


def broken_bounds(
    metrics: Metrics, bounds: Sequence[Bound], scores: Scores, gate: EvaluatorConfig
) -> Iterator[str]:
    """Yields a sentence for each metric that is out of its bounds, or undefined.

    Args:
        metrics: Of the eval split.
        bounds: `bounds_in_force`.
        scores: Of the eval split.
        gate: The settings.
    """
    for bound in bounds:
        name = bound.metric
        if name not in metrics and name in ThresholdEvaluatorConfig.METRICS:
            yield (
                f"{name} is not measured, as it takes labels of both classes in the eval split: "
                f"give some, or leave {bound.owner.removeprefix('your setting ')} out"
            )
            continue
        value = metrics.get(name)
        if value is None:
            yield (
                f"{name} is undefined, so it cannot be held against its bound {bound.value:.4g} "
                f"({bound.owner})"
            )
        elif bound.is_missed(value):
            shown, limit = distinguishable(value, bound.value)
            relation = f"{'below' if bound.side == 'lower' else 'above'} the {bound.side} bound"
            advice = _advice(bound, gate)
            yield f"{name} {shown} is {relation} {limit} ({bound.owner}){advice}"
        elif name == "roc_auc" and bound.origin == "default" and is_chance(scores):
            yield (
                f"roc_auc {value:.4g} cannot be told from chance, {CHANCE} ({bound.owner}), on "
                f"{np.count_nonzero(scores.is_abnormal)} abnormal and "
                f"{np.count_nonzero(scores.is_normal)} normal eval examples"
                f"{_NOT_SEPARATED}; evaluator.lower_bounds.roc_auc sets another bound"
            )


def is_chance(scores: Scores) -> bool:
    """Returns whether errors of abnormal examples could be as great as those of normal ones.

    That is Mann and Whitney's test, of which `roc_auc` is the statistic. If there are so few
    examples that not even a perfect order is significant, `roc_auc` alone decides.
    """
    abnormal, normal = scores.error[scores.is_abnormal], scores.error[scores.is_normal]
    total = len(abnormal) + len(normal)
    # The p-value of a perfect order is one among all orders. More than 5 examples have enough.
    if total * SIGNIFICANCE <= 1 and math.comb(total, len(abnormal)) * SIGNIFICANCE <= 1:
        roc_auc = stats.mannwhitneyu(abnormal, normal).statistic / (len(abnormal) * len(normal))
        return bool(roc_auc <= CHANCE)
    found = stats.mannwhitneyu(abnormal, normal, alternative="greater")
    return not found.pvalue < SIGNIFICANCE


def distinguishable(first: float, second: float) -> tuple[str, str]:
    """Prints two numbers with as many digits as it takes to tell them apart, at least 4."""
    for digits in range(4, 18):
        texts = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts


def _bounds(
    lower: Mapping[str, float], upper: Mapping[str, float], origin: Origin
) -> dict[tuple[Side, str], Bound]:
    sides: tuple[tuple[Side, Mapping[str, float]], ...] = (("lower", lower), ("upper", upper))
    return {
        (side, name): Bound(name, side, value, origin)
        for side, of_side in sides
        for name, value in of_side.items()
    }


def _alarm_bounds(gate: ThresholdEvaluatorConfig) -> dict[tuple[Side, str], Bound]:
    default = ThresholdEvaluatorConfig()
    sides: tuple[tuple[Side, float, float], ...] = (
        ("lower", gate.alarm_rate_least, default.alarm_rate_least),
        ("upper", gate.alarm_rate_most, default.alarm_rate_most),
    )
    return {
        (side, ALARM_RATE): Bound(
            ALARM_RATE, side, value, "default" if value == usual else "setting"
        )
        for side, value, usual in sides
    }


def _advice(bound: Bound, gate: EvaluatorConfig) -> str:
    """Returns what a bound that was missed says of a detector, if its figure does not."""
    if not isinstance(gate, ThresholdEvaluatorConfig):
        return ""
    strategy = STRATEGIES[gate.threshold]
    advice = {
        ("anomaly_recall", "lower"): f": too few of the anomalies are found; {strategy.lower} "
        "finds more",
        ("roc_auc", "lower"): _NOT_SEPARATED,
        (ALARM_RATE, "upper"): ": too many unlabelled eval examples raise an alarm; "
        f"{strategy.higher} raises fewer, and evaluator.alarm_rate_most allows more",
        (ALARM_RATE, "lower"): ": too few unlabelled eval examples raise an alarm; "
        f"{strategy.lower} raises more, and evaluator.alarm_rate_least asks for fewer",
    }
    return advice.get((bound.metric, bound.side), "")
