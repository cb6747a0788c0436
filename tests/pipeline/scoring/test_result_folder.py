"""Only a folder that a prediction wrote, and nothing else is in, is replaced by another one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.scoring.result_folder import MARK_FILE, result_folder
from pipeline_config import UserInputError
from tests.pipeline.scoring.shelf import on_shelf


def write_result(output: str, text: str) -> None:
    with result_folder(output, None) as folder:
        local = Path(folder.replace("shelf://", "/"))
        for name in ("part-00000-of-00001.csv", "_summary.json"):
            (local / name).write_text(text)


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def of_spark(folder: Path) -> None:
    (folder / "part-00000-0f.c000.csv").write_text("1")
    (folder / "_SUCCESS").touch()


def partitioned(folder: Path) -> None:
    for year in ("year=2024", "year=2025"):
        (folder / year).mkdir()
        (folder / year / "part-0.parquet").write_text("1")


def of_beam(folder: Path) -> None:
    (folder / "part-00000-of-00001.csv").write_text("1")
    (folder / "_summary.json").write_text("{}")


def marked_by_another(folder: Path) -> None:
    of_beam(folder)
    (folder / MARK_FILE).write_text(json.dumps({"files": ["part-00000-of-00001.csv"]}))


def ours_and_more(folder: Path) -> None:
    write_result(str(folder), "former")
    (folder / "part-00009-of-00009.csv").write_text("mine")


def ours_and_deeper(folder: Path) -> None:
    write_result(str(folder), "former")
    (folder / "sub").mkdir()
    (folder / "sub" / ".notes").write_text("mine")


def ours_and_hidden(folder: Path) -> None:
    write_result(str(folder), "former")
    (folder / ".git").mkdir()


@pytest.mark.parametrize(
    "make",
    [
        of_spark,
        partitioned,
        of_beam,
        marked_by_another,
        ours_and_more,
        ours_and_deeper,
        ours_and_hidden,
    ],
)
def test_a_folder_of_somebody_else_stays(tmp_path: Path, make: Callable[[Path], None]) -> None:
    folder = tmp_path / "sales.csv"
    folder.mkdir()
    make(folder)
    before = files_below(tmp_path)
    with pytest.raises(UserInputError, match="which no prediction wrote: remove it or name"):
        write_result(str(folder), "new")
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("former", ["none", "empty", "ours", "ours_through_a_link"])
def test_an_empty_folder_and_a_former_prediction_are_replaced(tmp_path: Path, former: str) -> None:
    folder = output = tmp_path / "scores.csv"
    if former == "empty":
        folder.mkdir()
    if former == "ours_through_a_link":
        (tmp_path / "disk").mkdir()
        folder = tmp_path / "disk" / "of-weeks.csv"
        output.symlink_to(folder)
    if former.startswith("ours"):
        write_result(str(output), "former")
    write_result(str(output), "new")
    assert {path.name: path.read_text() for path in folder.iterdir() if path.name[0] == "p"} == {
        "part-00000-of-00001.csv": "new"
    }
    assert sorted(path.name for path in folder.iterdir()) == [
        MARK_FILE,
        "_summary.json",
        "part-00000-of-00001.csv",
    ]
    assert {path.name for path in tmp_path.iterdir()} <= {"scores.csv", "disk"}


def test_a_folder_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    folder = tmp_path / "scores.csv"

    def late() -> None:
        with result_folder(str(folder), None):
            folder.mkdir()
            (folder / "thesis.txt").write_text("mine")

    with pytest.raises(UserInputError, match=r"thesis\.txt"):
        late()
    assert files_below(tmp_path) == {"scores.csv/thesis.txt": b"mine"}
    assert list(tmp_path.iterdir()) == [folder]


def test_on_a_file_system_that_workers_share_the_rule_is_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "sales.csv"
    folder.mkdir()
    partitioned(folder)
    before = files_below(tmp_path)
    with pytest.raises(UserInputError, match="which no prediction wrote"):
        write_result(on_shelf(folder), "new")
    assert files_below(tmp_path) == before
    for text in ("former", "new"):
        write_result(on_shelf(tmp_path / "scores.csv"), text)
    assert (tmp_path / "scores.csv" / "part-00000-of-00001.csv").read_text() == "new"


@pytest.mark.parametrize("name", ["run [1].csv", "a*.csv", "a?.csv", "[x].csv/y.csv", "a].csv"])
def test_a_name_that_beam_takes_for_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "run 1.csv").write_text("mine")
    (tmp_path / "a1.csv").write_text("mine")
    before = files_below(tmp_path)
    for output in (str(tmp_path / name), on_shelf(tmp_path / name)):
        with pytest.raises(UserInputError, match="stands for other characters"):
            write_result(output, "new")
    assert files_below(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a1.csv", "run 1.csv"]
