"""What is held out of the training: from the training split alone, and the same in each run."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.example_gen.component import example_gen
from data.splits import is_held_out
from pipeline_config import ImageData, SignalData, reading_settings
from tests.components.example_gen.conftest import Array, Ingest
from tests.components.example_gen.ingestion import Splits, exec_properties, execute, read_splits
from tests.components.example_gen.test_series import series, write

SHARE = 0.3


def assert_held_out_of_train_alone(before: Splits, after: Splits) -> None:
    assert list(after) == ["train", "calibration", "eval"]
    assert after["eval"] == before["eval"]
    assert after["train"] | after["calibration"] == before["train"]
    assert not after["train"] & after["calibration"]
    assert after["train"]
    assert after["calibration"]
    assert "calibration" not in before


@pytest.mark.parametrize("split", ["hash", "tutorial"])
def test_rows_are_held_out(tmp_path: Path, ingest: Ingest, rows: list[str], split: str) -> None:
    (tmp_path / "b.csv").write_text("\n".join(rows[25:]))
    (tmp_path / "a.csv").write_text("\n".join(rows[:25]))
    before = ingest(tmp_path, length=3, split=split)

    after = ingest(tmp_path, length=3, split=split, held_out=SHARE)

    assert_held_out_of_train_alone(before, after)
    assert ingest(tmp_path, length=3, split=split, held_out=SHARE) == after
    more = ingest(tmp_path, length=3, split=split, held_out=0.5)
    assert more["calibration"] >= after["calibration"]


@pytest.mark.parametrize("form", ["idx", "npz", "npz without splits"])
def test_images_are_held_out(
    tmp_path: Path,
    ingest_images: Ingest,
    write_splits: Callable[[Path], None],
    pictures: tuple[Array, Array],
    form: str,
) -> None:
    images, labels = pictures
    if form == "idx":
        write_splits(tmp_path / "in")
    elif form == "npz":
        (tmp_path / "in").mkdir()
        np.savez(
            tmp_path / "in" / "a.npz",
            x_train=images[:20],
            y_train=labels[:20],
            x_test=images[20:],
            y_test=labels[20:],
        )
    else:
        (tmp_path / "in").mkdir()
        np.savez(tmp_path / "in" / "a.npz", x=images, y=labels)

    before = ingest_images(tmp_path / "in")
    after = ingest_images(tmp_path / "in", held_out=SHARE)

    assert_held_out_of_train_alone(before, after)
    if form == "idx":
        moved = tmp_path / "moved"
        write_splits(moved)
        compressed = moved / "train-images-idx3-ubyte.gz"
        (moved / "train-images-idx3-ubyte").write_bytes(gzip.decompress(compressed.read_bytes()))
        compressed.unlink()
        assert ingest_images(moved, held_out=SHARE) == after


def test_the_last_part_of_a_series_to_train_on_is_held_out(tmp_path: Path) -> None:
    write(tmp_path / "data", "a.csv", 0, 300)
    before = read_splits(execute(tmp_path, tmp_path / "data", series()).uri)

    after = read_splits(execute(tmp_path, tmp_path / "data", series(held_out=0.2)).uri)

    assert after["eval"] == before["eval"]
    firsts = {name: sorted(window.value[0] for window in after[name]) for name in after}
    # 230 samples lie before the gap of eval; the last fifth of them is held out.
    assert firsts["calibration"] == [*range(185, 221, 5)]
    assert firsts["train"] == [*range(0, 165, 5)]
    assert after["train"] | after["calibration"] < before["train"]


def test_the_share_is_as_asked_and_independent_of_eval(ingest: Ingest, tmp_path: Path) -> None:
    values = np.random.default_rng(3).normal(size=(3000, 2))
    lines = [f"{a},{b},{index % 2}" for index, (a, b) in enumerate(values)]
    (tmp_path / "ecg.csv").write_text("\n".join(lines))

    splits = ingest(tmp_path, length=2, held_out=0.2)

    # Four standard deviations of a binomial with p = 0.2.
    in_train, in_eval = len(splits["train"]), len(splits["eval"])
    total = in_train + len(splits["calibration"])
    assert len(splits["calibration"]) == pytest.approx(0.2 * total, abs=4 * (0.16 * total) ** 0.5)
    of_eval = sum(is_held_out(example.example_id, 0.2) for example in splits["eval"])
    assert of_eval == pytest.approx(0.2 * in_eval, abs=4 * (0.16 * in_eval) ** 0.5)


@pytest.mark.parametrize("data", [SignalData(), SignalData(series=True), ImageData()])
def test_holding_nothing_out_leaves_the_cache_key_as_it_was(data: SignalData | ImageData) -> None:
    held_out = type(data)(**{**vars(data), "held_out": 0.2})

    assert "held_out" not in str(exec_properties("/in", data))
    assert "held_out" in str(exec_properties("/in", held_out))
    assert reading_settings(held_out) == reading_settings(data)
    assert example_gen("/in", data, fingerprint="x").outputs["examples"]
