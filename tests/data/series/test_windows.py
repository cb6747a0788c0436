"""Which windows a series is cut into, and what each is labelled."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.data.series.files import clock, cut, log


def _values(count: int) -> list[str]:
    return [f"{index}.5" for index in range(count)]


@pytest.mark.parametrize(
    ("length", "step", "numbers"),
    [
        (4, 0, [1, 5]),
        (4, 1, [1, 2, 3, 4, 5, 6, 7, 8]),
        (4, 3, [1, 4, 7]),
        (2, 5, [1, 6]),
        (11, 0, [1]),
    ],
)
@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
def test_windows_start_each_step_and_an_incomplete_one_is_left_out(
    tmp_path: Path, length: int, step: int, numbers: list[int], block_bytes: int
) -> None:
    file = log(tmp_path, _values(11))

    found = cut(file, block_bytes, length=length, step=step)

    assert found.numbers == numbers
    expected = [[first - 0.5 + index for index in range(length)] for first in numbers]
    assert found.values.tolist() == expected
    assert set(found.labels) == {-1}
    assert found.samples == 11


def test_channels_are_read_time_by_time(tmp_path: Path) -> None:
    lines = [f"{clock(second)},{second},{-second}" for second in range(9)]
    file = log(tmp_path, ["time,up,down", *lines])

    found = cut(file, channels=2)

    assert found.values.shape == (2, 4, 2)
    assert found.values[1].tolist() == [[4, -4], [5, -5], [6, -6], [7, -7]]


@pytest.mark.parametrize(
    ("settings", "column"),
    [
        ({"channel": ("b",)}, 1),
        ({"channel": ("2",)}, 1),
        ({"channel": ("c",)}, 2),
        ({"drop": ("a", "3")}, 1),
    ],
)
def test_channels_are_chosen_by_name_or_number(
    tmp_path: Path, settings: dict[str, tuple[str, ...]], column: int
) -> None:
    lines = [f"{clock(second)},{second},{second + 100},{second + 200}" for second in range(4)]
    file = log(tmp_path, ["time,a,b,c", *lines])

    (window,) = cut(file, **settings).values

    assert window.tolist() == [100.0 * column + second for second in range(4)]


@pytest.mark.parametrize(
    ("separator", "compressed"),
    [(",", False), (";", False), ("\t", True), ("  ", False), (", ", True)],
)
def test_text_of_any_separator(tmp_path: Path, separator: str, compressed: bool) -> None:
    lines = ["when" + separator + "flow"] + [
        f"{second}{separator}{second}.25" for second in range(4)
    ]
    content = "\r\n".join(lines).encode()
    file = tmp_path / "log.txt"
    file.write_bytes(gzip.compress(content) if compressed else content)

    (window,) = cut(file, time="when").values

    assert window.tolist() == [0.25, 1.25, 2.25, 3.25]


LABELS = "1111112122331111"


@pytest.mark.parametrize(
    ("share", "labels", "classes"),
    [
        (0.0, [1, 0, 0, 1], ["1", "2", "2", "1"]),
        (0.25, [1, 1, 0, 1], ["1", "1", "2", "1"]),
        (0.99, [1, 1, 0, 1], ["1", "1", "2", "1"]),
    ],
)
@pytest.mark.parametrize("place", ["last", "first", "state"])
def test_a_window_is_abnormal_if_more_than_a_share_of_its_samples_is(
    tmp_path: Path, share: float, labels: list[int], classes: list[str], place: str
) -> None:
    names, rows = ["flow", "state"], [[f"{i}.5", state] for i, state in enumerate(LABELS)]
    if place == "first":
        names, rows = names[::-1], [row[::-1] for row in rows]
    file = log(tmp_path, [",".join(row) for row in [names, *rows]])

    found = cut(file, label=place, share=share)

    assert found.labels == labels
    assert found.classes == classes


def test_samples_without_a_label_leave_a_window_unlabelled(tmp_path: Path) -> None:
    states = ["", "", "", "", "", "ok", "", "", "", "leak", "", "ok"]
    file = log(tmp_path, ["flow,state", *(f"{i}.5,{state}" for i, state in enumerate(states))])

    found = cut(file, label="state", normal=("ok",))

    assert found.labels == [-1, 1, 0]
    assert found.classes == ["", "ok", "leak"]


def test_a_file_to_score_may_lack_its_label(tmp_path: Path) -> None:
    labelled = log(tmp_path, ["flow,state", *(f"{i}.5,{i % 2}" for i in range(8))], "a.csv")
    bare = log(tmp_path, ["flow", *(f"{i}.5" for i in range(8))], "b.csv")

    found = [cut(file, label="last", to_score=True) for file in (labelled, bare)]

    assert np.array_equal(found[0].values, found[1].values)
    assert found[0].labels == [-1, -1]
