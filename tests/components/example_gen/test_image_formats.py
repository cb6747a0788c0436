"""Images of other formats than IDX become the same tf.Examples."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from data.choice import choose_data
from data.sources import resolve
from pipeline_config import BASIC, ImageData
from tests.components.example_gen.ingestion import Splits, execute, read_splits
from tests.data.formats.pictures import write_pictures


def ingested(root: Path, scratch: Path, **settings: int) -> Splits:
    config = dataclasses.replace(BASIC, data=ImageData(height=6, width=5, **settings))
    source = resolve(config, data_dir=root, environ={}, cache_dir=root)
    read = choose_data(config, source, [])
    folder = Path(read.facts.directory)
    return read_splits(execute(scratch, folder, read.config.data, files=read.files).uri)


@pytest.mark.parametrize("has_splits", [True, False])
def test_pictures(tmp_path: Path, has_splits: bool) -> None:
    counts = {"bag": 30, "shoe": 20}
    folders = (
        {"train/bag": 30, "train/shoe": 12, "test/shoe": 8, "test/bag": 1} if has_splits else counts
    )
    written = write_pictures(tmp_path / "data", folders)
    splits = ingested(tmp_path / "data", tmp_path)
    expected = {
        (pixels.tobytes(), int(Path(path).parent.name == "shoe"))
        for path, pixels in written.items()
    }
    assert {(image.value, image.label) for of in splits.values() for image in of} == expected
    if has_splits:
        assert {name: len(of) for name, of in splits.items()} == {"train": 42, "eval": 9}
    else:
        assert 2 <= len(splits["eval"]) <= 20
        assert not splits["train"] & splits["eval"]


def test_a_class_has_one_label_in_all_spans(tmp_path: Path) -> None:
    write_pictures(tmp_path / "data", {"span-1/bag": 20, "span-1/shoe": 20, "span-2/shoe": 30})
    splits = ingested(tmp_path / "data", tmp_path, window=2)
    assert {image.label for of in splits.values() for image in of} == {0, 1}
    assert sum(map(len, splits.values())) == 70


def test_an_archive_gives_both_splits(tmp_path: Path) -> None:
    pixels = np.arange(300, dtype=np.uint8).reshape(10, 6, 5)
    path = tmp_path / "data" / "mnist.npz"
    path.parent.mkdir()
    np.savez(path, x_train=pixels[:7], y_train=range(7), x_test=pixels[7:], y_test=range(3))
    for given in (path, path.parent):
        splits = ingested(given, tmp_path)
        assert {image.value for image in splits["train"]} == {of.tobytes() for of in pixels[:7]}
        assert {image.value for image in splits["eval"]} == {of.tobytes() for of in pixels[7:]}


def test_text_files_give_a_split_each(tmp_path: Path) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (12, 30), dtype=np.uint8)
    header = ",".join(["label", *(f"pixel{number}" for number in range(1, 31))])
    for name, part in (("train", slice(None, 8)), ("test", slice(8, None))):
        table = np.column_stack([np.arange(12) % 10, pixels])[part]
        np.savetxt(tmp_path / f"{name}.csv", table, "%d", ",", header=header, comments="")
    splits = ingested(tmp_path, tmp_path)
    assert {image.value for image in splits["train"]} == {of.tobytes() for of in pixels[:8]}
    assert {(image.value, image.label) for image in splits["eval"]} == {
        (of.tobytes(), number % 10) for number, of in enumerate(pixels) if number >= 8
    }
