"""What a threshold is, what it is fitted on, and what a strategy of setting one is."""

import abc
import dataclasses
import types
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from components.threshold_evaluator.scores import Scores
from pipeline_config import CALIBRATION_SPLIT, SPLITS, normal_labels

MOST_NORMAL_ERRORS = 100_000
"""Normal errors that a served model keeps at most: 0.4 MB."""


class NoThresholdError(ValueError):
    """A strategy cannot set a threshold; the message is one line that says why, and what to do."""


class Fitted(NamedTuple):
    """What a strategy found.

    Attributes:
        value: The threshold.
        rule: How it came about, in words with numbers, for people.
        parameters: Those numbers by name.
    """

    value: float
    rule: str
    parameters: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A detector's threshold and what it was set from.

    Attributes:
        value: Rounded to float32, as the served variable holds it.
        strategy: Value of `evaluator.threshold`.
        rule: How it came about, in words with numbers.
        parameters: Those numbers by name.
        examples: Normal examples that it was fitted on, with those presumed normal.
        split: The split that they are of.
    """

    value: float
    strategy: str
    rule: str
    parameters: Mapping[str, float]
    examples: int
    split: str

    def as_dict(self) -> dict[str, Any]:
        """Returns this as plain JSON values, the parameters beside the other ones."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**values.pop("parameters"), **values}


@dataclasses.dataclass(frozen=True)
class FittingRows:
    """The rows that every strategy is fitted on.

    Attributes:
        scores: Of the whole split.
        split: `calibration` if some of the training split is held out, else `train`.
        normal: float32 [n]; errors of the normal examples, with those presumed normal.
    """

    scores: Scores
    split: str
    normal: npt.NDArray[np.float32]

    @property
    def is_held_out(self) -> bool:
        """Whether the rows are held out of the training."""
        return self.split == CALIBRATION_SPLIT

    @property
    def words(self) -> str:
        """The normal examples, in words."""
        return f"{'held-out' if self.is_held_out else 'training'} normal examples"


class Strategy(abc.ABC):
    """A way to set a threshold.

    A subclass is a dataclass whose fields are the settings of `evaluator` that set the threshold
    by this strategy. An example is an anomaly if its error is above the threshold, in float32.
    """

    name: ClassVar[str]
    """Value of `evaluator.threshold`."""

    uses_labels: ClassVar[bool] = False
    """Whether it takes labelled anomalies."""

    lower: ClassVar[str]
    """What lowers the threshold, so that more is found, for sentences."""

    higher: ClassVar[str]
    """What raises it, so that there are fewer alarms."""

    @abc.abstractmethod
    def fit(self, rows: FittingRows) -> Fitted:
        """Returns the threshold.

        Args:
            rows: One normal error or more, all errors finite.

        Raises:
            NoThresholdError: These rows do not allow one.
        """


def fitting_rows(scores: Mapping[str, Scores], *, presumes_normal: bool = True) -> FittingRows:
    """Returns what strategies are fitted on: the calibration split, else the training split.

    Args:
        scores: By split.
        presumes_normal: Whether examples without a label count as normal.
    """
    split = CALIBRATION_SPLIT if CALIBRATION_SPLIT in scores else SPLITS[0]
    chosen = scores[split]
    is_normal = np.isin(chosen.label, normal_labels(presumes_normal=presumes_normal))
    return FittingRows(chosen, split, chosen.error[is_normal])


def set_threshold(strategy: Strategy, rows: FittingRows) -> Threshold:
    """Returns the threshold of a strategy.

    Raises:
        NoThresholdError: There is no normal example, an error is not finite, or the strategy's own
            reason.
    """
    if not len(rows.normal) or not np.isfinite(rows.normal).all():
        split = rows.split if rows.is_held_out else "training"
        raise NoThresholdError(
            f"no threshold can be set: no normal {split} examples, or not all errors are finite"
        )
    value, rule, parameters = strategy.fit(rows)
    return Threshold(
        float(np.float32(value)),
        strategy.name,
        rule,
        types.MappingProxyType(parameters),
        len(rows.normal),
        rows.split,
    )


def normal_errors(rows: FittingRows) -> npt.NDArray[np.float32]:
    """Returns the errors that the served model's p-values are found by: float32 [n], ascending.

    Of more than `MOST_NORMAL_ERRORS` those at evenly spaced ranks are kept, each rounded up, so
    that a p-value is still no smaller than its promise.

    Args:
        rows: Those that the threshold is set from.
    """
    errors = np.sort(rows.normal)
    if len(errors) > MOST_NORMAL_ERRORS:
        kept = np.arange(1, MOST_NORMAL_ERRORS + 1)
        # In integers, as a float's last bit would move a rank.
        ranks = -(-(len(errors) + 1) * kept // (MOST_NORMAL_ERRORS + 1))
        errors = errors[ranks - 1]
    return errors.astype(np.float32)


def is_anomaly(scores: Scores, threshold: float) -> np.ndarray:
    """Decides like the served model: bool [N], error > threshold in float32."""
    return scores.error > np.float32(threshold)
