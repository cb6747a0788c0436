"""How many held-out normal examples a conformal threshold takes, and what to do with fewer."""

import math

ROUNDING = 1e-9
"""Slack for products that are whole numbers, such as 20 x 0.05, and not so in binary."""


def least_held_out(false_alarm_rate: float) -> int:
    """Returns how many held-out normal examples a promised false-alarm rate takes, 1 / rate - 1."""
    return math.ceil(1 / false_alarm_rate - 1 - ROUNDING)


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
    # Up to two digits, as a rate that is rounded down takes one example more.
    rate = math.ceil(1000 / (count + 1) - ROUNDING) / 1000
    return (
        f"--set evaluator.false_alarm_rate={rate:g} takes no more, and a higher data.held_out "
        "holds out more"
    )
