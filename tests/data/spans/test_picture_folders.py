"""Which pictures of a folder are read, and for which split."""

from pathlib import Path

import pytest

from data.choice import RunData, choose_data
from data.sources import resolve
from pipeline_config import BASIC, UserInputError


def chosen(root: Path, *names: str) -> RunData:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("the same")
    source = resolve(BASIC, data_dir=root, environ={}, cache_dir=root / "unused")
    return choose_data(BASIC, source, [])


@pytest.mark.parametrize(
    ("names", "train", "held_out"),
    [
        (["a/1.png", "b/1.JPG", "b/2.jpeg", "b/.x.png", "b/README.txt"], None, None),
        (["train/a/1.png", "test/a/2.png"], ["train/a/1.png"], ["test/a/2.png"]),
        (
            ["fashion_mnist/train/a/1.png", "fashion_mnist/eval/a/2.png"],
            ["train/a/1.png"],
            ["eval/a/2.png"],
        ),
        (["span-1/a/1.png", "span-2/a/1.png"], ["span-2/a/1.png"], ["span-2/a/1.png"]),
    ],
)
def test_the_folders_give_classes_and_splits(
    tmp_path: Path, names: list[str], train: list[str] | None, held_out: list[str] | None
) -> None:
    data = chosen(tmp_path, *names)
    files = data.files.newest.files
    everything = ["a/1.png", "b/1.JPG", "b/2.jpeg"]
    assert list(files["train"]) == (train or everything)
    assert list(files["eval"]) == (held_out or everything)
    (notice,) = data.notices
    assert "the picture files are read" in notice
    assert ("split 80/20 by their content" in notice) == (files["train"] == files["eval"])


@pytest.mark.parametrize(
    ("names", "train", "held_out"),
    [
        (["mnist.npz", "a.txt"], "mnist.npz", "mnist.npz"),
        (
            ["fashion-mnist_train.csv", "fashion-mnist_test.csv", "1.png"],
            "fashion-mnist_train.csv",
            "fashion-mnist_test.csv",
        ),
        (["span-1/train.csv.gz", "span-1/test.CSV"], "span-1/train.csv.gz", "span-1/test.CSV"),
        (["digits.csv"], "digits.csv", "digits.csv"),
    ],
)
def test_archives_and_text_files(
    tmp_path: Path, names: list[str], train: str, held_out: str
) -> None:
    data = chosen(tmp_path, *names)
    assert data.files.newest.files == {"train": (train,), "eval": (held_out,)}
    assert data.facts.files == len({train, held_out})
    assert ("80/20" in data.notices[0]) == (names == ["digits.csv"])


@pytest.mark.parametrize("name", ["mnist.npz", "digits.csv", "digits.CSV.gz"])
def test_one_file_may_be_given(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (tmp_path / "train-images-idx3-ubyte").touch()
    source = resolve(BASIC, data_dir=tmp_path / name, environ={}, cache_dir=tmp_path)
    assert choose_data(BASIC, source, []).files.newest.names == [name]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["1.png"], r"1\.png: the picture lies in no folder of a class: .* CLASS/1\.png"),
        (["train/1.png", "test/2.png"], r"the picture lies in no folder of a class"),
        (["train/a/1.png"], "train: there is no folder test with pictures beside it"),
        (["test/a/1.png"], "test: there is no folder train with pictures beside it"),
        (["a.npz", "train.csv"], r"there are \.npz and \.csv files: choose one format, such as"),
        (["a/1.bmp"], r"no file matches 'train-\*-ubyte\{,\.gz\}'"),
    ],
)
def test_pictures_elsewhere_are_one_sentence(
    tmp_path: Path, names: list[str], message: str
) -> None:
    with pytest.raises(UserInputError, match=message) as raised:
        chosen(tmp_path, *names)
    assert len(str(raised.value).splitlines()) == 1
