"""No sample of an eval window lies in a training window."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.series.split import shares_of, split_by_file, survey
from pipeline_config import UserInputError
from tests.data.series import files

FIRST = 1_700_000_000


@settings(max_examples=60, deadline=None)
@given(
    samples=st.lists(st.integers(40, 400), min_size=1, max_size=4),
    length=st.integers(2, 40),
    step=st.integers(0, 60),
    split=st.sampled_from(["time", "file"]),
    gaps=st.lists(st.tuples(st.integers(0, 399), st.integers(2, 90)), max_size=5),
    missing=st.lists(st.integers(0, 399), max_size=12),
)
def test_no_sample_is_both_trained_on_and_judged_on(
    samples: list[int],
    length: int,
    step: int,
    split: str,
    gaps: list[tuple[int, int]],
    missing: list[int],
) -> None:
    data = files.settings(
        length=length, step=step, split=split, missing="interpolate", longest_gap=2
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, count in enumerate(samples):
            steps = np.ones(count)
            for place, size in gaps:
                steps[place % count] = size
            flow = 1000.0 * number + np.arange(count)
            flow[[place % count for place in missing]] = np.nan
            paths.append(Path(folder, f"{number}.npy"))
            np.save(paths[-1], np.column_stack([FIRST + np.cumsum(steps), flow]))
        if split == "file" and len(samples) == 1:
            return
        shares = shares_of([survey(str(path), data) for path in paths], data, folder)
        trained: set[float] = set()
        judged: set[float] = set()
        for number, path in enumerate(paths):
            found = files.cut(
                path, length=length, step=step, split=split, missing="interpolate", longest_gap=2
            )
            starts = np.array(found.numbers, np.int64) - 1
            share = shares[str(path)]
            in_train, in_eval = (share.mask(name, starts, length) for name in ("train", "eval"))
            # Interpolated samples too are what they would have been: each is its own number.
            here, there = (set(found.values[mask].ravel()) for mask in (in_train, in_eval))
            if split == "time" and here and there:
                assert min(there) - max(here) > length, "a gap of one window is between them"
                assert min(there) >= 1000 * number + 0.8 * samples[number] - 1e-6
            trained |= here
            judged |= there
    assert not trained & judged


def test_the_share_of_files_is_a_fifth_and_never_none_or_all() -> None:
    for count in range(2, 40):
        samples = {f"{number}.csv": 10 for number in range(count)}
        shares = split_by_file(samples, {name: f"{count}/{name}" for name in samples})
        kept = sum(share.eval_start == 0 for share in shares.values())
        assert 0 < kept < count
    samples = {f"{number}.csv": 10 for number in range(1000)}
    shares = split_by_file(samples, {name: name for name in samples})
    assert sum(share.eval_start == 0 for share in shares.values()) == pytest.approx(200, abs=50)


BAD = {
    "short": (["a,1,2,3"], {}, "0.csv: 3 samples, fewer than one window of data.length=4"),
    "one_file": (["a,1,2,3,4"], {"split": "file"}, "0.csv: the only file, but data.split=file"),
    "other_columns": (
        ["flow,1,2,3,4", "speed,1,2,3,4"],
        {},
        "1.csv: the channels are speed, but in ",
    ),
}


@pytest.mark.parametrize(("columns", "changes", "expected"), BAD.values(), ids=BAD)
def test_files_that_cannot_be_split(
    tmp_path: Path, columns: list[str], changes: dict[str, object], expected: str
) -> None:
    data = files.settings(**changes)
    paths = [
        files.log(tmp_path, column.split(","), f"{number}.csv")
        for number, column in enumerate(columns)
    ]

    with pytest.raises(UserInputError) as raised:
        shares_of([survey(str(path), data) for path in paths], data, str(tmp_path))

    assert str(raised.value).startswith(f"{tmp_path}/{expected}")
