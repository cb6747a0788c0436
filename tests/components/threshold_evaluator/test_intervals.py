"""Intervals against published figures, and against draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from components.threshold_evaluator.metrics import auc_interval, share_interval


def test_wilson_as_published() -> None:
    # R. G. Newcombe, Two-sided confidence intervals for the single proportion (1998), table I.
    for found, total, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert share_interval(found, total) == pytest.approx((low, high), abs=1e-4)


@given(auc=st.floats(0, 1), positives=st.integers(1, 10_000), negatives=st.integers(1, 10_000))
def test_an_area_lies_in_its_interval(auc: float, positives: int, negatives: int) -> None:
    low, high = auc_interval(auc, positives, negatives)
    assert -1e-6 <= low <= auc + 1e-6
    assert auc - 1e-6 <= high <= 1 + 1e-6


def test_an_area_of_one_out_of_three_is_not_certain() -> None:
    low, high = auc_interval(1.0, 3, 300)
    assert (low < 0.7, high) == (True, 1.0)
    assert auc_interval(0.0, 3, 300) == pytest.approx((0.0, 1 - low), abs=0.3)


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_an_areas_interval_holds_the_true_one_as_often_as_it_says(shift: float) -> None:
    rng = np.random.default_rng(1)
    labels = np.r_[np.ones(14), np.zeros(336)]
    big = rng.normal(size=(2, 200_000))
    true = float(np.mean(big[0] + shift > big[1]))
    held = 0
    for _ in range(300):
        scores = rng.normal(size=350) + shift * labels
        low, high = auc_interval(float(roc_auc_score(labels, scores)), 14, 336)
        held += low <= true <= high
    assert 0.9 <= held / 300 <= 1.0
