"""The strategies of setting a threshold, each with its source."""

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from scipy import stats

from components.conformal import (
    conformal_rank,
    conformal_threshold,
    least_held_out,
    too_few_held_out,
)
from components.threshold_evaluator.best_cut import best_f1
from components.threshold_evaluator.threshold import (
    Fitted,
    FittingRows,
    NoThresholdError,
    Strategy,
)
from pipeline_config import ThresholdEvaluatorConfig


@dataclasses.dataclass(frozen=True)
class MeanStd(Strategy):
    """mean + k x standard deviation of the normal errors, in float64 (`ddof=0`).

    Source: TensorFlow's "Intro to Autoencoders" tutorial, with k = 1,
    https://www.tensorflow.org/tutorials/generative/autoencoder.
    """

    threshold_k: float

    name: ClassVar[str] = "mean_std"
    lower: ClassVar[str] = "a lower evaluator.threshold_k"
    higher: ClassVar[str] = "a higher evaluator.threshold_k"

    def fit(self, rows: FittingRows) -> Fitted:
        """Returns mean + `threshold_k` x std."""
        k = self.threshold_k
        mean = float(np.mean(rows.normal, dtype=np.float64))
        std = float(np.std(rows.normal, dtype=np.float64))
        rule = f"mean {mean:.4g} + {k:.4g} x standard deviation {std:.4g}"
        return Fitted(mean + k * std, rule, {"mean": mean, "std": std, "k": k})


@dataclasses.dataclass(frozen=True)
class Percentile(Strategy):
    """A percentile of the normal errors, interpolated linearly.

    Source: R. J. Hyndman, Y. Fan: Sample quantiles in statistical packages. The American
    Statistician 50 (1996), definition 7, NumPy's default.
    """

    percentile: float

    name: ClassVar[str] = "percentile"
    lower: ClassVar[str] = "a lower evaluator.percentile"
    higher: ClassVar[str] = "a higher evaluator.percentile"

    def fit(self, rows: FittingRows) -> Fitted:
        """Returns the `percentile`-th percentile."""
        value = float(np.percentile(rows.normal.astype(np.float64), self.percentile))
        rule = f"percentile {self.percentile:g} of the errors"
        return Fitted(value, rule, {"percentile": self.percentile})


@dataclasses.dataclass(frozen=True)
class Mad(Strategy):
    """median + k x 1.4826 x median absolute deviation of the normal errors.

    A few large errors move neither. 1.4826 makes the deviation that of a normal distribution.
    Source: C. Leys, C. Ley, O. Klein, P. Bernard, L. Licata: Detecting outliers: do not use
    standard deviation around the mean, use absolute deviation around the median. Journal of
    Experimental Social Psychology 49 (2013); k = 2.5 there, 3 if one is strict.
    """

    threshold_k: float

    name: ClassVar[str] = "mad"
    lower: ClassVar[str] = "a lower evaluator.threshold_k"
    higher: ClassVar[str] = "a higher evaluator.threshold_k"
    scale: ClassVar[float] = 1.4826

    def fit(self, rows: FittingRows) -> Fitted:
        """Returns median + `threshold_k` x 1.4826 x MAD."""
        k, errors = self.threshold_k, rows.normal.astype(np.float64)
        median = float(np.median(errors))
        mad = float(np.median(np.abs(errors - median)))
        rule = f"median {median:.4g} + {k:.4g} x {self.scale} x absolute deviation {mad:.4g}"
        return Fitted(median + k * self.scale * mad, rule, {"median": median, "mad": mad, "k": k})


@dataclasses.dataclass(frozen=True)
class Conformal(Strategy):
    """The ceil((n + 1)(1 - r))-th smallest of n held-out normal errors.

    A new normal example, exchangeable with these, is above it with a probability of at most r,
    whatever the distribution and the model, on average over the held-out examples.
    Sources: V. Vovk, A. Gammerman, G. Shafer: Algorithmic Learning in a Random World. Springer
    (2005); R. Laxhammar, G. Falkman: Conformal prediction for distribution-independent anomaly
    detection in streaming vessel data. StreamKDD (2010); S. Bates, E. Candès, L. Lei, Y. Romano,
    M. Sesia: Testing for outliers with conformal p-values. Annals of Statistics 51 (2023).
    """

    false_alarm_rate: float

    name: ClassVar[str] = "conformal"
    lower: ClassVar[str] = "a higher evaluator.false_alarm_rate"
    higher: ClassVar[str] = "a lower evaluator.false_alarm_rate"

    @property
    def least_examples(self) -> int:
        """Held-out normal examples that it takes."""
        return least_held_out(self.false_alarm_rate)

    def fit(self, rows: FittingRows) -> Fitted:
        """Returns that error.

        Raises:
            NoThresholdError: The rows were trained on, or are fewer than 1 / r - 1.
        """
        rate, count = self.false_alarm_rate, len(rows.normal)
        if not rows.is_held_out:
            raise NoThresholdError(
                "evaluator.threshold=conformal takes normal examples that are held out of the "
                "training: --set data.held_out=0.2"
            )
        if sentence := too_few_held_out(rate, count):
            raise NoThresholdError(sentence)
        rank = conformal_rank(count, rate)
        rule = f"error {rank:,} in ascending order, for a false-alarm rate of {rate:g},"
        parameters = {"rank": rank, "false_alarm_rate": rate}
        return Fitted(conformal_threshold(rows.normal, rate), rule, parameters)


@dataclasses.dataclass(frozen=True)
class PeaksOverThreshold(Strategy):
    """The quantile 1 - r of a generalised Pareto distribution of the largest normal errors.

    The excesses over an initial threshold t, the 98th percentile, are fitted by maximum likelihood;
    t is lower if r asks for it or if there would be few excesses. With n errors, N excesses, shape
    g and scale s the threshold is t + s / g ((r n / N)^-g - 1).
    Source: A. Siffer, P.-A. Fouque, A. Termier, C. Largouët: Anomaly detection in streams with
    extreme value theory. KDD (2017), equation 1.
    """

    false_alarm_rate: float

    name: ClassVar[str] = "pot"
    lower: ClassVar[str] = "a higher evaluator.false_alarm_rate"
    higher: ClassVar[str] = "a lower evaluator.false_alarm_rate"
    initial_share: ClassVar[float] = 0.02
    wanted_peaks: ClassVar[int] = 30
    least_peaks: ClassVar[int] = 10

    def fit(self, rows: FittingRows) -> Fitted:
        """Returns that quantile.

        Raises:
            NoThresholdError: There are too few errors above any initial threshold.
        """
        rate, errors = self.false_alarm_rate, rows.normal.astype(np.float64)
        # A threshold below the initial one is no extrapolation of what was fitted.
        share = max(self.initial_share, 2 * rate, self.wanted_peaks / len(errors))
        initial = float(np.quantile(errors, 1 - min(share, 0.5)))
        peaks = errors[errors > initial] - initial
        if len(peaks) < self.least_peaks:
            raise NoThresholdError(
                f"evaluator.threshold=pot takes {self.least_peaks} {rows.words} or more above "
                f"their median, and {len(peaks)} of {len(errors):,} are: give more, or "
                "--set evaluator.threshold=percentile"
            )
        unit = float(peaks.mean())
        shape, _, scale = (float(each) for each in stats.genpareto.fit(peaks / unit, floc=0))
        scale *= unit
        # The quantile function of SciPy is the formula above, with its limit at a shape of 0.
        beyond = min(rate * len(errors) / len(peaks), 1.0)
        value = initial + float(stats.genpareto.isf(beyond, shape, scale=scale))
        if not math.isfinite(value):
            raise NoThresholdError(
                f"evaluator.threshold=pot: no Pareto distribution fits the {len(peaks):,} largest "
                f"errors of the {rows.words}: --set evaluator.threshold=percentile"
            )
        rule = (
            f"Pareto tail of {len(peaks):,} errors above {initial:.4g}, for a false-alarm rate of "
            f"{rate:g},"
        )
        parameters = {
            "initial": initial,
            "peaks": len(peaks),
            "shape": shape,
            "scale": scale,
            "false_alarm_rate": rate,
        }
        return Fitted(value, rule, parameters)


@dataclasses.dataclass(frozen=True)
class BestF1(Strategy):
    """What separates labelled anomalies best: the greatest F1 with anomaly as the positive class.

    Source: C. J. van Rijsbergen: Information Retrieval, 2nd edition. Butterworths (1979). It is
    halfway between two errors; of several with the same F1 the greatest, with the fewest alarms.
    """

    name: ClassVar[str] = "f1"
    uses_labels: ClassVar[bool] = True
    lower: ClassVar[str] = "evaluator.threshold=percentile with a lower evaluator.percentile"
    higher: ClassVar[str] = "evaluator.threshold=percentile with a higher evaluator.percentile"

    def fit(self, rows: FittingRows) -> Fitted:
        """Returns that threshold.

        Raises:
            NoThresholdError: Labelled examples of one of the classes are absent.
        """
        scores = rows.scores
        normal, abnormal = scores.error[scores.is_normal], scores.error[scores.is_abnormal]
        if not np.isfinite(abnormal).all():
            raise NoThresholdError("no threshold can be set: not all errors are finite")
        if not len(normal) or not len(abnormal):
            raise NoThresholdError(
                "evaluator.threshold=f1 takes examples labelled normal and abnormal in the split "
                f"'{rows.split}', and there are {len(normal):,} and {len(abnormal):,}: give "
                "labels, or --set evaluator.threshold=percentile"
            )
        value, f1 = best_f1(normal, abnormal)
        rule = f"F1 {f1:.4g} on {len(normal):,} normal and {len(abnormal):,} abnormal examples"
        return Fitted(value, rule, {"f1": f1, "normal": len(normal), "abnormal": len(abnormal)})


STRATEGIES: Mapping[str, type[Strategy]] = MappingProxyType(
    {
        strategy.name: strategy
        for strategy in (MeanStd, Percentile, Mad, Conformal, PeaksOverThreshold, BestF1)
    }
)
"""The strategies by the value of `evaluator.threshold`."""


def strategy_of(gate: ThresholdEvaluatorConfig, name: str = "") -> Strategy:
    """Returns a strategy with its settings; by default the one in force."""
    kind = STRATEGIES[name or gate.threshold]
    return kind(**{setting: getattr(gate, setting) for setting in own_settings(kind)})


def own_settings(strategy: type[Strategy]) -> tuple[str, ...]:
    """Returns the settings of `evaluator` that set the threshold by a strategy."""
    assert dataclasses.is_dataclass(strategy), "each strategy is one"
    return tuple(field.name for field in dataclasses.fields(strategy))
