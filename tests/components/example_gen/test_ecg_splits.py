"""Which split a row goes to."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from data.splits import tutorial_eval_mask

Ingest = Callable[..., dict[str, set]]


def test_hash_split_is_by_content_not_by_place(
    tmp_path: Path, ingest: Ingest, rows: list[str]
) -> None:
    before, reordered, grown = (tmp_path / name for name in ("before", "reordered", "grown"))
    for folder in (before, reordered, grown):
        folder.mkdir()
    (before / "ecg.csv").write_text("\n".join(rows[:30]))
    (reordered / "ecg.csv").write_text("\n".join(random.Random(1).sample(rows[:30], 30)))
    (grown / "a.csv").write_text("\n".join(rows[30:]))
    (grown / "b.csv").write_text("\n".join(rows[:30]))

    splits = ingest(before, length=3)

    assert len(splits["train"]) + len(splits["eval"]) == 30
    assert ingest(reordered, length=3) == splits
    more = ingest(grown, length=3)
    assert len(more["train"]) + len(more["eval"]) == 40
    assert more["train"] > splits["train"]
    assert more["eval"] >= splits["eval"]


def test_hash_split_is_4_to_1(tmp_path: Path, ingest: Ingest) -> None:
    values = np.random.default_rng(3).normal(size=(3000, 2))
    lines = [f"{a},{b},{index % 2}" for index, (a, b) in enumerate(values)]
    (tmp_path / "ecg.csv").write_text("\n".join(lines))

    splits = ingest(tmp_path, length=2)

    # Four standard deviations of a binomial with p = 0.2.
    assert len(splits["eval"]) == pytest.approx(600, abs=88)
    assert len(splits["train"]) + len(splits["eval"]) == 3000


def test_tutorial_split_counts_rows_across_files_by_name(
    tmp_path: Path, ingest: Ingest, rows: list[str]
) -> None:
    (tmp_path / "b.csv").write_text("\n".join(rows[25:]))
    (tmp_path / "a.csv").write_text("a,b,c,label\n" + "\n".join(rows[:25]))
    train, evaluation = train_test_split(np.arange(40), test_size=0.2, random_state=21)
    values = np.array([row.split(",")[:3] for row in rows], dtype=np.float32)

    splits = ingest(tmp_path, length=3, split="tutorial")

    assert {b.value for b in splits["train"]} == {tuple(row) for row in values[train].tolist()}
    assert {b.value for b in splits["eval"]} == {tuple(row) for row in values[evaluation].tolist()}


def test_tutorial_split_across_blocks(tmp_path: Path, ingest: Ingest) -> None:
    # Some 3 MiB: three blocks.
    lines = [f"0.25{'0' * 300},{index},{index % 2}" for index in range(10_000)]
    (tmp_path / "ecg.csv").write_text("\n".join(lines))

    splits = ingest(tmp_path, length=2, split="tutorial")

    expected = np.flatnonzero(tutorial_eval_mask(10_000)).tolist()
    assert sorted(int(beat.value[1]) for beat in splits["eval"]) == expected
    assert len(splits["train"]) == 8_000


@pytest.mark.slow
def test_tutorial_split_of_the_real_file(ingest: Ingest) -> None:
    """Against the counts and extremes that the tutorial's own code gives."""
    root = os.environ.get("AEPIPE_DATA")
    if not root:
        pytest.skip("AEPIPE_DATA does not name the real files")

    splits = ingest(Path(root, "ecg"), split="tutorial")

    train = np.array([beat.value for beat in splits["train"]], dtype=np.float32)
    assert train.shape == (3998, 140)
    assert len(splits["eval"]) == 1000
    assert sum(beat.label for beat in splits["train"]) == 2359
    assert sum(beat.label for beat in splits["eval"]) == 560
    assert (train.min(), train.max()) == (np.float32(-6.2808752), np.float32(7.4021031))
