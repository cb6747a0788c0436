"""No sample of a window lies in a window of another split."""

import dataclasses
import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.series.split import shares_of, split_by_file, survey
from pipeline_config import CALIBRATION_SPLIT, SPLITS, UserInputError
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
    held_out=st.sampled_from([0.0, 0.1, 0.2, 0.5]),
)
def test_no_sample_is_in_two_splits(
    samples: list[int],
    length: int,
    step: int,
    split: str,
    gaps: list[tuple[int, int]],
    missing: list[int],
    held_out: float,
) -> None:
    if split == "file" and len(samples) < (3 if held_out else 2):
        return
    data = files.settings(
        length=length,
        step=step,
        split=split,
        missing="interpolate",
        longest_gap=2,
        held_out=held_out,
    )
    nothing_held_out = dataclasses.replace(data, held_out=0.0)
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
        surveys = [survey(str(path), data) for path in paths]
        before = shares_of(surveys, nothing_held_out, folder)
        to_train_on = sum(share.eval_start > 0 for share in before.values())
        if split == "file" and held_out and to_train_on < 2:
            return
        shares = shares_of(surveys, data, folder)
        seen: dict[str, set[float]] = {name: set() for name in data.splits}
        for number, path in enumerate(paths):
            found = files.cut(
                path, length=length, step=step, split=split, missing="interpolate", longest_gap=2
            )
            starts = np.array(found.numbers, np.int64) - 1
            share = shares[str(path)]
            masks = {name: share.mask(name, starts, length) for name in data.splits}
            earlier = {name: before[str(path)].mask(name, starts, length) for name in SPLITS}
            assert np.array_equal(masks["eval"], earlier["eval"])
            trained_on = masks["train"] | masks.get(CALIBRATION_SPLIT, False)
            assert not (trained_on & ~earlier["train"]).any()
            if split == "file":
                assert np.array_equal(trained_on, earlier["train"])
            # Interpolated samples too are what they would have been: each is its own number.
            here = {name: set(found.values[mask].ravel()) for name, mask in masks.items()}
            for one, other in itertools.combinations(data.splits, 2):
                if split == "time" and here[one] and here[other]:
                    gap = min(here[other]) - max(here[one])
                    assert gap > length, "a gap of one window is between them"
            if split == "time" and here["eval"]:
                assert min(here["eval"]) >= 1000 * number + 0.8 * samples[number] - 1e-6
            for name, values in here.items():
                seen[name] |= values
    for one, other in itertools.combinations(data.splits, 2):
        assert not seen[one] & seen[other]


def test_the_share_of_files_is_a_fifth_and_never_none_or_all() -> None:
    for count in range(2, 40):
        samples = {f"{number}.csv": 10 for number in range(count)}
        shares = split_by_file(samples, {name: f"{count}/{name}" for name in samples})
        kept = sum(share.eval_start == 0 for share in shares.values())
        assert 0 < kept < count
    samples = {f"{number}.csv": 10 for number in range(1000)}
    shares = split_by_file(samples, {name: name for name in samples})
    assert sum(share.eval_start == 0 for share in shares.values()) == pytest.approx(200, abs=50)


def test_whole_files_are_held_out_and_never_none_or_all() -> None:
    for count, share in itertools.product(range(3, 40), (0.01, 0.2, 0.5)):
        samples = {f"{number}.csv": 10 for number in range(count)}
        names = {name: f"{count}/{name}" for name in samples}
        shares = split_by_file(samples, names, share)
        starts = np.arange(10)
        files_of = {
            name: {path for path, found in shares.items() if found.mask(name, starts, 2).any()}
            for name in ("train", CALIBRATION_SPLIT, "eval")
        }
        before = split_by_file(samples, names)
        kept = {path for path, found in before.items() if found.mask("eval", starts, 2).any()}
        assert all(files_of.values())
        assert sum(map(len, files_of.values())) == count
        assert files_of["eval"] == kept


BAD = {
    "short": (["a,1,2,3"], {}, "0.csv: 3 samples, fewer than one window of data.length=4"),
    "one_file_to_train_on": (
        ["a,1,2,3,4", "a,1,2,3,4"],
        {"split": "file", "held_out": 0.2},
        "1.csv: the only file to train on, as data.split=file keeps 1 for eval, but "
        "data.held_out=0.2 holds out another: give more files, or --set data.split=time",
    ),
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
