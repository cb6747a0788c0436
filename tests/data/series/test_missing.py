"""Missing samples are refused, or interpolated where they are few."""

import math
from pathlib import Path

import numpy as np
import pytest

from pipeline_config import UserInputError
from tests.data.series.files import cut, log

MISSING = ["", "NaN", "nan", "NA", "n/a", "null", "None"]


@pytest.mark.parametrize("cell", MISSING)
@pytest.mark.parametrize("block_bytes", [6, 1 << 20])
def test_a_missing_sample_is_refused(tmp_path: Path, cell: str, block_bytes: int) -> None:
    file = log(tmp_path, ["up,down", "1,1.5", "2,2.5", f"3,{cell}", "4,4.5"])

    with pytest.raises(UserInputError) as raised:
        cut(file, block_bytes, channels=2)

    assert str(raised.value) == (
        f"{file}, row 4, column 2 ('down'): a missing value: fill it in, or "
        "--set data.missing=interpolate"
    )


@pytest.mark.parametrize("cell", MISSING)
@pytest.mark.parametrize("block_bytes", [6, 1 << 20])
def test_it_is_interpolated_linearly(tmp_path: Path, cell: str, block_bytes: int) -> None:
    up = ["0", cell, "2", "3", cell, cell, cell, "11"]
    file = log(tmp_path, ["up,down", *(f"{value},{-i}" for i, value in enumerate(up))])

    found = cut(file, block_bytes, channels=2, missing="interpolate")

    assert found.values[..., 0].ravel().tolist() == [0, 1, 2, 3, 5, 7, 9, 11]
    assert found.values[..., 1].ravel().tolist() == [0, -1, -2, -3, -4, -5, -6, -7]
    assert found.notices == ["4 missing values interpolated"]


@pytest.mark.parametrize("block_bytes", [6, 40, 1 << 20])
def test_a_longer_gap_ends_a_window_and_nothing_is_extrapolated(
    tmp_path: Path, block_bytes: int
) -> None:
    # Missing: two at the start, three in the middle, one beside them after a value, one at the end.
    values = [None, None, 2, 3, 4, 5, None, None, None, 9, None, 11, 12, 13, 14, None]
    cells = ["NaN" if value is None else str(value) for value in values]
    file = log(tmp_path, ["a,b", *(f"{cell},{i}" for i, cell in enumerate(cells))])

    found = cut(file, block_bytes, channels=2, missing="interpolate", longest_gap=2)

    assert found.numbers == [3, 10]
    assert found.values[..., 0].tolist() == [[2, 3, 4, 5], [9, 10, 11, 12]]
    assert np.array_equal(found.values[..., 0], found.values[..., 1])
    assert found.notices[0] == "1 missing value interpolated"
    assert found.notices[1].startswith("6 samples left out")
    assert found.samples == 16


def test_nothing_is_interpolated_over_a_gap_in_time(tmp_path: Path) -> None:
    times = [0, 1, 2, 3, 4, 60, 61, 62, 63, 64]
    lines = [f"{time},{'NA' if time in (4, 60) else time}" for time in times]
    file = log(tmp_path, ["time,flow", *lines])

    found = cut(file, missing="interpolate")

    assert found.values.tolist() == [[0, 1, 2, 3], [61, 62, 63, 64]]


@pytest.mark.parametrize("rows", [1, 3, 7, 500])
def test_blocks_do_not_matter(tmp_path: Path, rows: int) -> None:
    generator = np.random.default_rng(rows)
    values = generator.normal(size=(500, 3)).astype(np.float32)
    for channel, share in enumerate((0.02, 0.2, 0.5)):
        values[generator.random(500) < share, channel] = math.nan
    np.save(tmp_path / "a.npy", values)
    chosen = {"channels": 3, "missing": "interpolate", "longest_gap": 3, "step": 1}

    whole = cut(tmp_path / "a.npy", **chosen)
    parts = cut(tmp_path / "a.npy", block_bytes=24 * rows, **chosen)

    assert parts.numbers == whole.numbers
    assert np.array_equal(parts.values, whole.values)
    assert parts.notices == whole.notices
    # Against pandas, gap by gap, for the windows that are left.
    import pandas as pd

    filled = pd.DataFrame(values.astype(np.float64)).interpolate(limit_area="inside").to_numpy()
    for number, window in zip(whole.numbers, whole.values, strict=True):
        np.testing.assert_allclose(window, filled[number - 1 : number + 3], rtol=1e-5)
