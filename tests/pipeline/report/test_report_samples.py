"""Which examples a report shows."""

import numpy as np
import pytest

from pipeline.report.samples import choose


@pytest.mark.parametrize(
    ("labels", "count", "expected"),
    [
        ([0] * 101, 1, [50]),
        ([0] * 101, 3, [5, 50, 95]),
        ([0] * 3, 3, [0, 1, 2]),
        ([1, 0] * 50, 2, [51, 50]),
        ([0, 1, 2, 3], 2, [0, 1]),
        ([7], 10, [0]),
    ],
)
def test_examples_are_spread_over_the_errors_of_each_label(
    labels: list[int], count: int, expected: list[int]
) -> None:
    error = np.arange(len(labels), dtype=np.float32)
    assert choose(error, np.array(labels), count) == expected


def test_errors_that_are_no_numbers_come_last() -> None:
    error = np.array([np.nan, 3, 1, np.inf, 2], np.float32)
    assert choose(error, np.zeros(5, np.int16), 1) == [1]
