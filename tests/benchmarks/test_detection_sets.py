"""Which sets `benchmarks/detection.py` finds in a folder, and what it makes of their labels."""

from pathlib import Path

import numpy as np
import pytest
from detection_sets import chosen_sets, contaminate, find_sets, tutorial_set
from sklearn.model_selection import train_test_split


def write_rows(path: Path, classes: list[str], length: int = 4) -> None:
    path.write_text("".join("\t".join([name, *["0.5"] * length]) + "\n" for name in classes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_rows(tmp_path / "Both_TRAIN.tsv", ["1", "2"])
    write_rows(tmp_path / "Both_TEST.tsv", ["2", "2", "3.0000000e+00"])
    write_rows(tmp_path / "Alone.tsv", ["-1", "1", "1"], length=7)
    return tmp_path


def test_files_of_one_name_are_a_set(folder: Path) -> None:
    both, alone = sorted(find_sets(folder, {}), key=lambda one: -len(one.files))

    assert (both.name, both.length, dict(both.classes)) == ("Both", 4, {"1": 1, "2": 3, "3": 1})
    assert {path.name for path in both.files} == {"Both_TRAIN.tsv", "Both_TEST.tsv"}
    assert (alone.name, alone.length, alone.normal) == ("Alone", 7, "1")
    assert alone.run_settings() == (
        "data.length=7",
        "data.normal=1",
        "evaluator.false_alarm_rate=0.2",
        "data.label=first",
    )


def test_the_most_frequent_class_is_normal_unless_another_is_named(folder: Path) -> None:
    assert {one.name: one.normal for one in find_sets(folder, {})} == {"Both": "2", "Alone": "1"}
    named = find_sets(folder, {"Both": "3"})
    assert {one.name: one.normal for one in named} == {"Both": "3", "Alone": "1"}


@pytest.mark.parametrize("normal", [{"Both": "9"}, {"Neither": "1"}])
def test_what_is_not_there_is_named(folder: Path, normal: dict[str, str]) -> None:
    (missing,) = normal
    with pytest.raises(ValueError, match=missing):
        find_sets(folder, normal)
    with pytest.raises(ValueError, match="Neither"):
        chosen_sets(find_sets(folder, {}), ["Alone", "Neither"])


def test_a_folder_without_sets_is_no_folder_of_sets(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file"):
        find_sets(tmp_path, {})


def test_the_tutorials_file_keeps_its_own_split(tmp_path: Path) -> None:
    file = tmp_path / "ecg.csv"
    file.write_text(",".join(["0.5"] * 140 + ["1.0"]) + "\n")
    assert tutorial_set(file).run_settings() == (
        "data.length=140",
        "data.normal=1",
        "evaluator.false_alarm_rate=0.2",
        "data.split=tutorial",
    )


@pytest.mark.parametrize(("normals", "rate"), [(2919, 0.03), (292, 0.03), (180, 0.05), (100, 0.1)])
def test_a_set_of_few_rows_is_promised_what_they_can_keep(
    tmp_path: Path, normals: int, rate: float
) -> None:
    write_rows(tmp_path / "Set.tsv", ["1"] * normals + ["2"])

    (found,) = find_sets(tmp_path, {})

    assert found.false_alarm_rate == rate


def test_labels_are_taken_from_abnormal_training_rows_alone() -> None:
    lines = [f"0.25,{number},{number % 2}.0" for number in range(200)]
    train, _ = train_test_split(np.arange(200), test_size=0.2, random_state=21)

    changed = contaminate(lines, 0.25, seed=1)

    places = [place for place in range(200) if changed[place] != lines[place]]
    abnormal = {place for place in train.tolist() if place % 2 == 0}
    assert len(places) == round(0.25 * len(abnormal))
    assert set(places) < abnormal
    assert {changed[place] for place in places} == {f"0.25,{place}," for place in places}
    assert changed == contaminate(lines, 0.25, seed=1)
    assert changed != contaminate(lines, 0.25, seed=2)
