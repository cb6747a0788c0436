"""Which files are read if a folder holds none of the default format."""

from pathlib import Path

import pytest

from data.choice import RunData, choose_data
from data.sources import resolve
from pipeline.settings import apply_settings
from pipeline_config import ANOMALY, UserInputError


def chosen(root: Path, *names: str, settings: tuple[str, ...] = ()) -> RunData:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    config = apply_settings(ANOMALY, settings)
    source = resolve(config, data_dir=root, environ={}, cache_dir=root / "unused")
    return choose_data(config, source, [])


@pytest.mark.parametrize(
    ("names", "pattern", "read"),
    [
        (["a.tsv"], "*.tsv{,.gz}", ["a.tsv"]),
        (["A.TSV", "b.tsv.gz", "README.txt"], "*.tsv{,.gz}", ["A.TSV", "b.tsv.gz"]),
        (["a.txt", "readme.txt", "LICENSE.txt", ".b.tsv"], "*.txt{,.gz}", ["a.txt"]),
        (["a.data", "a.names"], "*.data{,.gz}", ["a.data"]),
        (["a.npy", "index.html", "b.npy~"], "*.npy", ["a.npy"]),
        (["a.npz"], "*.npz", ["a.npz"]),
        (["a.PARQUET"], "*.parquet", ["a.PARQUET"]),
        (["a.ts"], "*.ts{,.gz}", ["a.ts"]),
        (["a.arff"], "*.arff{,.gz}", ["a.arff"]),
        (["ecg/a.tsv", "b.npz"], "*.tsv{,.gz}", ["a.tsv"]),
        (["span-1/a.tsv", "span-2/b.tsv"], "span-{SPAN}/*.tsv{,.gz}", ["span-2/b.tsv"]),
        (
            ["span-2024-05-30/a.npz", "span-2024-05-31/b.npz", "notes.tsv"],
            "span-{YYYY}-{MM}-{DD}/*.npz",
            ["span-2024-05-31/b.npz"],
        ),
    ],
)
def test_the_one_other_format_is_read_and_named(
    tmp_path: Path, names: list[str], pattern: str, read: list[str]
) -> None:
    data = chosen(tmp_path, *names)
    assert data.config.data.pattern == pattern
    assert data.files.newest.names == read
    (notice,) = data.notices
    assert f"--set 'data.pattern={pattern.split('/')[-1]}'" in notice


@pytest.mark.parametrize(
    ("names", "read"),
    [
        (["a.csv", "b.tsv", "c.npz"], ["a.csv"]),
        (["a.csv.gz", "README.txt"], ["a.csv.gz"]),
        (["span-1/a.tsv", "span-2/b.csv"], ["span-2/b.csv"]),
    ],
)
def test_what_matches_the_default_is_read_alone(
    tmp_path: Path, names: list[str], read: list[str]
) -> None:
    data = chosen(tmp_path, *names)
    assert data.files.newest.names == read
    assert data.notices == ()


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        (["a.tsv", "b.npz"], (), "there are .tsv and .npz files: choose one format, such as "),
        (["a.tsv", "a.txt", "a.ts"], (), "there are .tsv, .txt and .ts files"),
        (["span-1/a.tsv", "span-2/b.npz"], (), "there are .tsv and .npz files"),
        (["span-1/a.tsv", "b.tsv"], (), "b.tsv: there are span folders beside it"),
        (["README.txt"], (), "it holds README.txt"),
        (["a.tsv"], ("data.pattern=*.npz",), r"no file matches '\*.npz', it holds a.tsv"),
    ],
)
def test_what_leaves_a_doubt_is_one_sentence(
    tmp_path: Path, names: list[str], settings: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserInputError, match=message) as raised:
        chosen(tmp_path, *names, settings=settings)
    assert len(str(raised.value).splitlines()) == 1


def test_the_sentence_holds_a_setting_that_works(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"--set 'data.pattern=\*.tsv\{,.gz\}'"):
        chosen(tmp_path, "a.tsv", "b.npz")
    data = chosen(tmp_path, settings=("data.pattern=*.tsv{,.gz}",))
    assert (data.files.newest.names, data.notices) == (["a.tsv"], ())


@pytest.mark.parametrize(
    "setting", ["data.pattern=*.txt", "data.pattern=*", "data.pattern=*{,.txt}"]
)
def test_text_about_the_data_is_none_of_them(tmp_path: Path, setting: str) -> None:
    names = ["a.txt", "README.txt", "Licence.txt", "SHA256SUMS.txt", "readme-first.md", "NOTICE"]
    assert chosen(tmp_path, *names, settings=(setting,)).files.newest.names == ["a.txt"]


def test_a_pattern_that_names_such_text_reads_it(tmp_path: Path) -> None:
    data = chosen(tmp_path, "a.txt", "README.txt", settings=("data.pattern=README*",))
    assert data.files.newest.names == ["README.txt"]
