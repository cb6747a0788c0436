"""How far a figure can be from the true one because few examples stand behind it."""

import math
from typing import NamedTuple

from scipy import optimize, stats

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A confidence interval, at the level of `CONFIDENCE`."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.2f} to {self.high:.2f}"


def share_interval(found: int, total: int) -> Interval:
    """Returns Wilson's score interval of a share, such as a recall.

    E. B. Wilson: Probable inference, the law of succession, and statistical inference. Journal of
    the American Statistical Association 22 (1927).

    Args:
        found: How many were counted.
        total: Of how many; 1 or more.
    """
    result = stats.binomtest(found, total).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(float(result.low), float(result.high))


def auc_interval(auc: float, positives: int, negatives: int) -> Interval:
    """Returns an interval of the area under a ROC curve, by Hanley and McNeil's variance.

    J. A. Hanley, B. J. McNeil: The meaning and use of the area under a receiver operating
    characteristic (ROC) curve. Radiology 143 (1982). The variance is taken at the interval's ends
    rather than at `auc`, as in Wilson's interval, so that both ends are in 0..1 and an area of 1
    out of three examples is not taken for certain: R. G. Newcombe: Confidence intervals for an
    effect size measure based on the Mann-Whitney statistic, part 2. Statistics in Medicine 25
    (2006).

    Args:
        auc: The area, 0 to 1.
        positives: Examples of the one class; 1 or more.
        negatives: Examples of the other; 1 or more.
    """
    width = float(stats.norm.ppf((1 + CONFIDENCE) / 2))

    def excess(end: float) -> float:
        return abs(end - auc) - width * math.sqrt(_auc_variance(end, positives, negatives))

    # At an area of 0 or 1 itself there is no variance, and no other end of the interval there.
    least, greatest = 1e-9, 1 - 1e-9
    inner = min(max(auc, least), greatest)
    low = optimize.brentq(excess, least, inner) if excess(least) > 0 > excess(inner) else 0.0
    high = optimize.brentq(excess, inner, greatest) if excess(greatest) > 0 > excess(inner) else 1.0
    return Interval(float(low), float(high))


def _auc_variance(auc: float, positives: int, negatives: int) -> float:
    """Hanley and McNeil's; `auc` squared stands in for two examples on one side of a third."""
    two_positives = auc / (2 - auc)
    two_negatives = 2 * auc**2 / (1 + auc)
    total = auc * (1 - auc)
    total += (positives - 1) * (two_positives - auc**2)
    total += (negatives - 1) * (two_negatives - auc**2)
    return max(total, 0.0) / (positives * negatives)
