"""No spelling of a path makes a prediction write over what it reads, or over the output folder."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.home import Home
from pipeline.scoring.request import PredictRequest, overlap
from pipeline_config import UserInputError


def ask(folder: Path, file: str | Path = "x.csv", **options: Any) -> PredictRequest:
    return PredictRequest(**{"model": "m", "file": str(file), "models_dir": folder} | options)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`dir/{a,b}.csv`, which exist; links to the folder and to each file; the same as hard links.

    The test's working directory is `dir`.
    """
    root = tmp_path_factory.mktemp("tree")
    folder = root / "dir"
    (folder / "deep").mkdir(parents=True)
    (root / "link").symlink_to(folder)
    (root / "again").symlink_to("link")
    for name in ("a", "b"):
        (folder / f"{name}.csv").write_text(name)
        (folder / f"soft-{name}.csv").symlink_to(f"{name}.csv")
        (folder / f"twice-{name}.csv").symlink_to(root / "again" / f"soft-{name}.csv")
        (folder / f"hard-{name}.csv").hardlink_to(folder / f"{name}.csv")
        (folder / f"hanging-{name}.csv").symlink_to(f"new-{name}.csv")
    before = Path.cwd()
    os.chdir(folder)
    yield root
    os.chdir(before)


FOLDERS = (
    "{root}/dir/",
    "{root}/link/",
    "{root}/again/",
    "{root}/dir/deep/../",
    "{root}//dir/./",
    "{root}/link/../dir/",
    "",
    "./",
    "../dir/",
    "../again/deep/..//",
)
OLD = ("{}.csv", "soft-{}.csv", "twice-{}.csv", "hard-{}.csv")
NEW = ("new-{}.csv", "hanging-{}.csv", "NEW-{}.csv")

spellings = st.tuples(
    st.sampled_from(FOLDERS), st.sampled_from((*OLD, *NEW)), st.sampled_from("ab")
)


def spelled(root: Path, spelling: tuple[str, str, str]) -> str:
    folder, name, letter = spelling
    return folder.format(root=root) + name.format(letter)


@settings(max_examples=300, deadline=None)
@given(one=spellings, other=spellings)
def test_two_spellings_are_one_file_if_they_are(
    tree: Path, one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    same = one[2] == other[2] and (one[1] in OLD) == (other[1] in OLD)
    first, second = spelled(tree, one), spelled(tree, other)
    assert overlap(first, second) is overlap(second, first) is same


@settings(max_examples=200, deadline=None)
@given(paths=st.tuples(spellings, spellings, spellings))
def test_input_output_and_rejects_are_three_files_or_refused(
    tree: Path, paths: tuple[tuple[str, str, str], ...]
) -> None:
    file, output, rejects = (spelled(tree, path) for path in paths)
    files = {(letter, name in OLD) for _, name, letter in paths}
    if len(files) == 3:
        ask(tree / "serving", file, output=output, rejects=rejects)
        return
    with pytest.raises(UserInputError, match="named twice: write to another file"):
        ask(tree / "serving", file, output=output, rejects=rejects)


@pytest.mark.parametrize("output", ["x.csv", "x.parquet", "./x.csv", "../here/x.csv"])
@pytest.mark.parametrize("link", [None, os.symlink, os.link])
def test_the_input_is_not_where_rejected_rows_go_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, link: object
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("x.rejects.csv").write_text("1,2")
    file = "x.rejects.csv"
    if callable(link):
        file = "given.csv"
        link("x.rejects.csv", file)
    with pytest.raises(UserInputError, match="name another file with --rejects"):
        ask(tmp_path / "serving", file, output=output)
    ask(tmp_path / "serving", file, output=output, rejects="y.csv")


def test_what_a_shell_redirects_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.csv"
    file.write_text("1,2")
    before = os.dup(0)
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.dup2(descriptor, 0)
        for options in ({"output": str(file)}, {"rejects": str(file)}):
            with pytest.raises(UserInputError, match="named twice"):
                ask(tmp_path / "serving", "-", **options)
        ask(tmp_path / "serving", "-", output=f"{tmp_path}/y.csv")
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(descriptor)


REMOTE = ("gs://b/x.csv", "gs://b/x.csv/", "gs://b/x.csv/part-0.csv", "gs://b/xx.csv", "b/x.csv")


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(REMOTE, 2)))
def test_remote_paths_overlap_as_they_are_written(one: str, other: str) -> None:
    expected = {one, other} <= set(REMOTE[:3])
    assert overlap(one, other) is overlap(other, one) is expected


@pytest.mark.parametrize("inside", ["scores.csv/part-00000-of-00001.csv", "scores.csv/deep/x.csv"])
def test_what_lies_in_the_output_is_not_read_or_written(tmp_path: Path, inside: str) -> None:
    output = str(tmp_path / "scores.csv")
    for file, rejects in ((f"{tmp_path}/{inside}", None), ("x.csv", f"{tmp_path}/{inside}")):
        with pytest.raises(UserInputError, match="named twice"):
            ask(tmp_path / "serving", file, output=output, rejects=rejects)


@pytest.mark.parametrize(
    "inside",
    [
        "serving/m/1/saved_model.csv",
        "serving/x.csv",
        "metadata/anomaly.csv",
        "runs/anomaly-1/x.csv",
        "artifacts/x.csv",
        "runs/../schemas/x.csv",
    ],
)
@pytest.mark.parametrize("option", ["output", "rejects"])
def test_models_and_runs_are_not_written_over(tmp_path: Path, inside: str, option: str) -> None:
    home = Home(tmp_path / "home")
    for folder in home.folders:
        folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(home.root)
    for root in (home.root, tmp_path / "link"):
        with pytest.raises(UserInputError, match="holds models and runs of aepipe"):
            ask(home.push_root, kept_folders=home.folders, **{option: f"{root}/{inside}"})
    ask(home.push_root, kept_folders=home.folders, output=f"{home.root}/scores.csv")
