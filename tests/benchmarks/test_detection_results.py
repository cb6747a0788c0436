"""What `benchmarks/detection.py` makes of scores: measures, means over seeds, ranks over sets."""

import numpy as np
import pytest
from detection_results import mean_sd, measure, oracle_accuracy, overall_results, set_table

SCORES = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.8], np.float32)
IS_ABNORMAL = np.array([False, False, False, False, True, True])


def test_measures_at_a_threshold() -> None:
    found = measure(SCORES, IS_ABNORMAL, 0.5, promised=0.05, seconds=2.0)
    assert found.roc_auc == pytest.approx(7 / 8)
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.f1 == pytest.approx(6 / 8)
    assert found.false_alarm_rate == pytest.approx(1 / 4)
    assert found.oracle_accuracy == pytest.approx(5 / 6)
    assert (found.promised, found.seconds) == (0.05, 2.0)


def test_without_a_threshold_only_what_needs_none_is_measured() -> None:
    found = measure(SCORES, IS_ABNORMAL, None)
    assert found.pr_auc == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)
    assert (found.accuracy, found.f1, found.false_alarm_rate) == (None, None, None)


@pytest.mark.parametrize(
    ("scores", "best"),
    [([1, 1, 1, 1], 3 / 4), ([4, 3, 2, 1], 3 / 4), ([1, 2, 3, 4], 1), ([1, 4, 2, 3], 3 / 4)],
)
def test_no_threshold_is_better_than_the_oracles(scores: list[int], best: float) -> None:
    is_abnormal = np.array([False, False, False, True])
    assert oracle_accuracy(np.array(scores), is_abnormal) == pytest.approx(best)
    tried = [np.mean((np.array(scores) > t) == is_abnormal) for t in np.arange(-0.5, 5)]
    assert max(tried) == pytest.approx(best)


def test_standard_deviations_are_of_a_sample_and_nothing_stands_for_what_is_missing() -> None:
    assert mean_sd([1.0, 3.0]) == pytest.approx((2.0, 2**0.5))
    assert mean_sd([1.0]) == (1.0, 0.0)
    assert mean_sd([1.0, None]) is None
    assert mean_sd([]) is None


def test_methods_are_ranked_over_sets() -> None:
    found = overall_results(
        {
            "easy": {"ours": 0.99, "theirs": 0.99, "poor": 0.5},
            "hard": {"ours": 0.8, "theirs": 0.9},
        }
    )
    assert [one.method for one in found] == ["theirs", "ours", "poor"]
    theirs, ours, poor = found
    assert (theirs.mean_auc, theirs.mean_rank, theirs.behind) == pytest.approx((0.945, 1.25, 0))
    assert (ours.mean_rank, ours.behind) == pytest.approx((1.75, 0.1))
    assert ours.behind_on == "hard"
    assert (poor.sets, poor.mean_rank, poor.behind_on) == (1, 3, "easy")


def test_a_table_has_a_row_a_method_and_leaves_out_what_was_not_measured() -> None:
    results = [measure(SCORES, IS_ABNORMAL, None)] * 2
    table = set_table("set", {"ours": results})
    cells = [next(iter(column.cells)) for column in table.columns]
    assert cells[:4] == ["ours", "0.875 ± 0.000", "0.833 ± 0.000", ""]
