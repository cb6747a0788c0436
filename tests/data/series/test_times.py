"""Times of a series: gaps end a window, and time runs forwards."""

from pathlib import Path

import pytest

from pipeline_config import UserInputError
from tests.data.series.files import clock, cut, log

WITH_GAPS = [*range(5), *range(9, 14), *range(20, 23), *range(30, 34)]


@pytest.mark.parametrize("block_bytes", [30, 1 << 20])
@pytest.mark.parametrize("unit", ["iso", "seconds", "milliseconds", "fractions", "zone"])
def test_no_window_spans_a_gap_in_time(tmp_path: Path, block_bytes: int, unit: str) -> None:
    texts = {
        "iso": clock,
        "seconds": lambda second: str(1_700_000_000 + second),
        "milliseconds": lambda second: str(1_700_000_000_000 + 1000 * second),
        "fractions": lambda second: f"{second / 10:.1f}",
        "zone": lambda second: f"2026-01-01 12:00:{second:02}.250+02:00",
    }
    lines = [f"{texts[unit](second)},{second}" for second in WITH_GAPS]
    file = log(tmp_path, ["time,flow", *lines])

    found = cut(file, block_bytes)

    assert found.numbers == [1, 6, 14]
    assert found.values[:, 0].tolist() == [0, 9, 30]
    (notice,) = found.notices
    assert notice.startswith("3 gaps in time: no window spans one; the first: ")
    assert f"row 7, from {texts[unit](4)} to {texts[unit](9)}" in notice


@pytest.mark.parametrize("header", ["", "timestamp,flow", "Date,flow", "when,flow"])
def test_the_column_of_times_is_found(tmp_path: Path, header: str) -> None:
    lines = [f"{clock(second)},{second}" for second in range(4)]
    file = log(tmp_path, [header, *lines])

    assert cut(file).values.tolist() == [[0, 1, 2, 3]]


def test_irregular_sampling_is_noticed(tmp_path: Path) -> None:
    times = [second + 0.2 * (second % 2) for second in range(40)]
    file = log(tmp_path, ["time,flow", *(f"{time},{time}" for time in times)])

    found = cut(file)

    assert len(found.numbers) == 10
    (notice,) = found.notices
    assert notice.startswith("irregular times: 49% of the steps differ")


def test_regular_sampling_has_no_notice(tmp_path: Path) -> None:
    times = [second / 10 for second in range(40)]
    file = log(tmp_path, ["time,flow", *(f"{time:.1f},{time:.1f}" for time in times)])

    assert cut(file).notices == []


def test_times_of_different_zones_follow_each_other(tmp_path: Path) -> None:
    lines = [
        "time,flow",
        "2026-03-29T01:59:58+01:00,1",
        "2026-03-29T01:59:59+01:00,2",
        "2026-03-29T03:00:00+02:00,3",
        "2026-03-29T03:00:01+02:00,4",
    ]

    assert cut(log(tmp_path, lines)).values.tolist() == [[1, 2, 3, 4]]


BAD = {
    "duplicate": (
        [clock(0), clock(1), clock(1)],
        f"row 4: the time {clock(1)} is that of row 3, {clock(1)}: take one of the two rows out",
    ),
    "backwards": (
        [clock(0), clock(9), clock(1)],
        f"row 4: time runs backwards, from {clock(9)} in row 3 to {clock(1)}: sort the rows",
    ),
    "empty": ([clock(0), "", clock(2)], "row 3, column 1: '' is not a time"),
    "text": ([clock(0), clock(1), "soon"], "row 4, column 1: 'soon' is not a time"),
    "another_kind": ([clock(0), clock(1), "7"], "row 4, column 1: '7' is not a time"),
    "day_first": (["01/02/2026 10:00", "01/02/2026 10:01"], "row 2, column 1: '01/02/2026 10:00'"),
}


@pytest.mark.parametrize(("times", "expected"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("block_bytes", [20, 1 << 20])
def test_times_that_do_not_run_forwards(
    tmp_path: Path, times: list[str], expected: str, block_bytes: int
) -> None:
    file = log(tmp_path, ["time,flow", *(f"{time},{index}" for index, time in enumerate(times))])

    with pytest.raises(UserInputError) as raised:
        cut(file, block_bytes)

    line = str(raised.value)
    assert line.startswith(f"{file}, ")
    assert expected in line
    assert "--set data.time=none" in line
    assert "\n" not in line
