"""Keras' archives, Kaggle's text files and pictures are scored as the images of an IDX file."""

from pathlib import Path

import numpy as np
import pytest

from data.formats.rows import Block
from pipeline.scoring.source import (
    FileRange,
    cut,
    find_columns,
    find_source,
    read_range,
    read_source,
)
from pipeline_config import ImageData, SignalData, UserInputError
from tests.data.formats.pictures import write_pictures
from tests.pipeline.scoring.conftest import Predict, Predicted
from tests.pipeline.scoring.tiny_served import SHAPE, idx_bytes

DATA = ImageData(height=SHAPE[0], width=SHAPE[1])
PIXELS = np.random.default_rng(4).integers(0, 256, (20, *SHAPE), dtype=np.uint8)


def blocks_of(path: Path) -> list[Block]:
    return list(read_source(find_source(str(path)), DATA, lambda read: None))


def kaggle(path: Path) -> None:
    names = ",".join(["label", *(f"pixel{number}" for number in range(1, 21))])
    table = np.column_stack([np.arange(20) % 10, PIXELS.reshape(20, -1)])
    np.savetxt(path, table, "%d", ",", header=names, comments="")


WRITE = {
    "idx": lambda path: path.write_bytes(idx_bytes(PIXELS)),
    "keras.npz": lambda path: np.savez(path, x_train=PIXELS[:2], y_train=[1, 2], x_test=PIXELS),
    "one.npz": lambda path: np.savez_compressed(path, pictures=PIXELS),
    "kaggle.csv": kaggle,
}


@pytest.mark.parametrize("name", WRITE)
def test_the_same_images_have_the_same_values(tmp_path: Path, name: str) -> None:
    WRITE[name](tmp_path / name)
    blocks = blocks_of(tmp_path / name)
    values = np.concatenate([block.rows.values for block in blocks])
    assert values.dtype == np.float32
    assert (values == PIXELS).all()


def test_test_images_are_scored_and_the_rest_is_named(tmp_path: Path) -> None:
    WRITE["keras.npz"](tmp_path / "keras.npz")
    notices: list[str] = []
    source = find_source(str(tmp_path / "keras.npz"))
    list(read_source(source, DATA, lambda read: None, notices.append))
    assert notices == [f"{tmp_path}/keras.npz: array x_test is scored, not x_train"]


def test_a_folder_of_pictures_and_one_picture(tmp_path: Path) -> None:
    written = write_pictures(tmp_path, {"b": 3, "a/c": 2}, shape=SHAPE)
    (tmp_path / "README.txt").write_text("text")
    (block,) = blocks_of(tmp_path)
    assert (block.rows.values == np.stack([written[path] for path in sorted(written)])).all()
    assert block.rows.numbers.tolist() == [1, 2, 3, 4, 5]
    (one,) = blocks_of(Path(min(written)))
    assert (one.rows.values[0] == written[min(written)]).all()


def test_a_bad_picture_is_rejected_and_the_rest_scored(
    tmp_path: Path, predicted: Predicted
) -> None:
    paths = sorted(write_pictures(tmp_path / "in", {"a": 4}, shape=SHAPE))
    Path(paths[2]).write_text("text")
    found = predicted("basic", tmp_path / "in", "--out", tmp_path / "scores.csv")
    assert (found["examples"], found["rejected"]) == (3, 1)
    (rejected,) = (tmp_path / "scores.rejects.csv").read_text().splitlines()[1:]
    assert rejected.startswith('3,"the file is text, no PNG or JPEG picture')
    assert rejected.endswith(paths[2])


def test_ranges_of_a_folder_are_its_pictures(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"a": 5}, shape=SHAPE)
    source = find_source(str(tmp_path))
    columns = find_columns(source, DATA)
    ranges = cut(source, columns, 2 * 20)
    assert len(ranges) == 3
    numbers = [
        number
        for part in ranges
        for block in read_range(source, columns, part)
        for number in block.rows.numbers.tolist()
    ]
    assert numbers == [1, 2, 3, 4, 5]
    assert isinstance(ranges[0], FileRange)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda root: None, "there is no PNG or JPEG picture in the folder"),
        (
            lambda root: write_pictures(root, {"a": 1}, shape=(9, 7)),
            "the picture is 9 x 7 pixels, but the model takes 4 x 5: name the model",
        ),
    ],
)
def test_a_folder_that_does_not_serve(
    tmp_path: Path, predict: Predict, write: object, message: str
) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in")  # type: ignore[operator]
    result = predict("basic", tmp_path / "in")
    assert result.exit_code == 2
    assert message in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_pictures_are_no_signals(tmp_path: Path) -> None:
    (path,) = write_pictures(tmp_path, {"a": 1})
    for given, message in (
        (path, "but the model takes signals"),
        (str(tmp_path), "not a file; a pipe"),
    ):
        with pytest.raises(UserInputError, match=message):
            find_columns(find_source(given), SignalData())
