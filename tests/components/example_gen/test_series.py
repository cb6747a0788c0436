"""Long series through the ExampleGen: windows of two files, split without a common sample."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.example_gen.executor import NOTICES_PROPERTY
from components.example_gen.signals import to_examples
from data.formats.rows import Block, Rows
from pipeline_config import SettingError, SignalData
from tests.components.example_gen.ingestion import execute, fault_of, read_splits


def write(folder: Path, name: str, first: int, count: int, gap_after: int = -1) -> None:
    """A second a row; each sample is its own number."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["time,flow,state"]
    for index in range(count):
        second = 1_700_000_000 + index + 100 * (0 <= gap_after <= index)
        lines.append(f"{second},{first + index},{'leak' if index % 50 == 7 else 'ok'}")
    (folder / name).write_text("\n".join(lines) + "\n")


def series(**changes: object) -> SignalData:
    settings = {"series": True, "length": 10, "step": 5, "label": "state", "normal": ("ok",)}
    return SignalData(**{"folder": "plant", **settings, **changes})  # type: ignore[arg-type]


def test_two_files_are_split_by_time_with_a_gap(tmp_path: Path) -> None:
    write(tmp_path / "data", "a.csv", 0, 200)
    write(tmp_path / "data", "b.csv", 1000, 300, gap_after=33)

    examples = execute(tmp_path, tmp_path / "data", series())
    splits = read_splits(examples.uri)

    train, kept = (sorted(window.value for window in splits[name]) for name in ("train", "eval"))
    assert [window[0] for window in kept] == [*range(160, 191, 5), *range(1243, 1289, 5)]
    starts = [*range(0, 141, 5), *range(1000, 1021, 5), *range(1033, 1219, 5)]
    assert [window[0] for window in train] == starts
    assert all(window == tuple(range(int(window[0]), int(window[0]) + 10)) for window in kept)
    labels = {window.value[0]: window.label for window in splits["train"]}
    assert {first for first, label in labels.items() if not label and first < 40} == {0, 5}
    (notice,) = examples.get_string_custom_property(NOTICES_PROPERTY).splitlines()
    assert notice.startswith("1 gap in time: no window spans it; the first: ")
    assert "b.csv, row 35" in notice


@pytest.mark.slow
def test_whole_files_are_kept_for_eval(tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path / "data", f"{number}.csv", 1000 * number, 40)

    splits = read_splits(execute(tmp_path, tmp_path / "data", series(split="file")).uri)

    files = {name: {window.value[0] // 1000 for window in splits[name]} for name in splits}
    assert files["train"] | files["eval"] == set(range(6))
    assert not files["train"] & files["eval"]
    assert files["eval"]
    assert len(splits["train"]) + len(splits["eval"]) == 6 * 7


def test_the_same_windows_of_a_still_machine_are_different_examples() -> None:
    rows = Rows(np.array([1, 6]), np.ones((2, 10), np.float32), np.ones(2, np.int64))

    def ids(base: str) -> list[bytes]:
        examples = to_examples(Block(f"{base}/plant/a.csv", rows), base)
        return [each.features.feature["example_id"].bytes_list.value[0] for each in examples]

    assert len(set(ids("/data"))) == 2
    assert ids("/data") == ids("/copy/of/data")


@pytest.mark.slow
def test_spans_are_compared_whole(tmp_path: Path) -> None:
    for span in (1, 2):
        write(tmp_path / "data" / f"span-{span}", "a.csv", 1000 * span, 200)

    data = series(pattern="span-{SPAN}/*.csv", window=1)
    examples = execute(tmp_path, tmp_path / "data", data, compare_spans=True)

    def firsts(split: str) -> list[float]:
        files = sorted(map(str, Path(examples.uri, f"Split-{split}").iterdir()))
        return sorted(
            tf.train.Example.FromString(record).features.feature["signal"].float_list.value[0]
            for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
        )

    assert firsts("newest") == [*range(2000, 2191, 5)]
    assert firsts("previous") == [*range(1000, 1191, 5)]
    assert {value // 1000 for value in firsts("train") + firsts("eval")} == {2}


def test_no_eval_window_is_left(tmp_path: Path) -> None:
    write(tmp_path / "data", "a.csv", 0, 49)

    line = fault_of(lambda: execute(tmp_path, tmp_path / "data", series()))

    assert line.startswith(
        f"{tmp_path / 'data'}: no window is left for eval: the last fifth of a file has no "
        "data.length=10 samples without a gap: give longer files, --set data.length=N"
    )


@pytest.mark.parametrize("split", ["hash", "tutorial"])
def test_windows_are_never_drawn_one_by_one(tmp_path: Path, split: str) -> None:
    with pytest.raises(
        SettingError, match=r"samples that it was trained on.*--set data\.split=time"
    ):
        execute(tmp_path, tmp_path, series(split=split))


@pytest.mark.parametrize("split", ["time", "file"])
def test_rows_are_not_split_as_series(tmp_path: Path, split: str) -> None:
    with pytest.raises(SettingError, match=r"--set data\.series=true"):
        execute(tmp_path, tmp_path, SignalData(split=split))  # type: ignore[arg-type]
