"""The conformal threshold of held-out normal errors, and how many of them it takes.

The data gate counts them before the training, the evaluator takes the threshold after it.
"""

import math

import numpy as np
import numpy.typing as npt

_ROUNDING = 1e-9
"""Slack for products that are whole numbers, such as 20 x 0.05, and not so in binary."""


def least_held_out(false_alarm_rate: float) -> int:
    """Returns how many held-out normal examples a promised false-alarm rate takes, 1 / rate - 1."""
    return math.ceil(1 / false_alarm_rate - 1 - _ROUNDING)


def conformal_rank(count: int, false_alarm_rate: float) -> int:
    """Returns which of `count` errors in ascending order, from 1, is the threshold.

    That is the ceil((n + 1)(1 - r))-th; see `strategies.Conformal` for the sources.

    Args:
        count: `least_held_out` or more.
        false_alarm_rate: What is promised.
    """
    return count + 1 - math.floor((count + 1) * false_alarm_rate + _ROUNDING)


def conformal_threshold(errors: npt.NDArray[np.floating], false_alarm_rate: float) -> float:
    """Returns the threshold, one of the errors.

    Args:
        errors: [n], of held-out normal examples in any order; `least_held_out` or more.
        false_alarm_rate: What is promised.
    """
    place = conformal_rank(len(errors), false_alarm_rate) - 1
    return float(np.partition(errors, place)[place])


def too_few_held_out(false_alarm_rate: float, count: int) -> str | None:
    """Returns a sentence if there are too few held-out normal examples for the promise.

    Args:
        false_alarm_rate: What is promised.
        count: Held-out normal examples that there are.
    """
    least = least_held_out(false_alarm_rate)
    if count >= least:
        return None
    return (
        f"evaluator.threshold=conformal at evaluator.false_alarm_rate={false_alarm_rate:g} takes "
        f"{least:,} held-out normal examples or more, and there are {count:,}: {_remedy(count)}"
    )


def _remedy(count: int) -> str:
    if not count:
        return "a higher data.held_out holds out more"
    # A rate that is rounded down takes one example more.
    rate = math.ceil(1000 / (count + 1) - _ROUNDING) / 1000
    return (
        f"--set evaluator.false_alarm_rate={rate:g} takes no more, and a higher data.held_out "
        "holds out more"
    )
