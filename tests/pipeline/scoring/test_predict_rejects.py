"""A bad row is named and kept, and the others are scored."""

from pathlib import Path

import pandas as pd
import pytest

from tests.pipeline.scoring.conftest import Predict, Predicted
from tests.pipeline.scoring.tiny_served import (
    LENGTH,
    as_lines,
    make_signals,
    write_csv,
)

GOOD = as_lines(make_signals(30))
CELLS = GOOD[0].split(",")


def with_cell(column: int, text: str) -> str:
    return ",".join([*CELLS[: column - 1], text, *CELLS[column:]])


BAD_ROWS = {
    "short": (",".join(CELLS[:3]), "3 values, expected 13 (12 samples and a label)"),
    "no_label": (",".join(CELLS[:LENGTH]), "12 values, expected 13 (12 samples and a label)"),
    "long": (GOOD[0] + ",1", "14 values, expected 13"),
    "one": ("7", "1 value, expected 13"),
    "text": (with_cell(4, "abc"), "column 4: 'abc' is not a number"),
    "empty_cell": (with_cell(2, ""), "column 2: the cell is empty"),
    "nan": (with_cell(1, "nan"), "column 1: 'nan' is a missing value"),
    "inf": (with_cell(12, "-inf"), "column 12: '-inf' is not a finite float32"),
    "overflow": (with_cell(5, "1e39"), "column 5: '1e39' is not a finite float32"),
    "underscore": (with_cell(5, "1_0"), "column 5: '1_0' is not a number"),
    "quote": (f'"{GOOD[0]}', 'a quote (") is not closed in its line: close it'),
    "carriage_returns": (with_cell(3, "1\r2"), "lines end with CR alone"),
    "too_large_for_the_model": (with_cell(3, "3e38"), "the model's error is not a finite number"),
}


@pytest.mark.parametrize(("line", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_named_and_the_others_are_scored(
    tmp_path: Path, predicted: Predicted, line: str, reason: str
) -> None:
    file = write_csv(tmp_path / "ecg.csv", [*GOOD[:10], line, *GOOD[10:]])
    output = tmp_path / "scores.csv"

    found = predicted("anomaly", file, "-o", output)

    assert (found["examples"], found["rejected"]) == (30, 1)
    assert found["first_rejects"][0]["row"] == 11
    assert found["first_rejects"][0]["reason"].startswith(reason)
    scores = pd.read_csv(output)
    assert scores["row"].tolist() == [*range(1, 11), *range(12, 32)]
    assert found["rejects"] == str(tmp_path / "scores.rejects.csv")
    (rejected,) = pd.read_csv(found["rejects"], dtype=str).to_dict("records")
    assert rejected["row"] == "11"
    assert rejected["reason"] == found["first_rejects"][0]["reason"]
    if "too large" not in rejected["reason"] and "\r" not in line:
        assert rejected["text"] == line


def test_bytes_that_are_no_text_are_a_bad_row(tmp_path: Path, predicted: Predicted) -> None:
    file = write_csv(tmp_path / "ecg.csv", GOOD)
    file.write_bytes(file.read_bytes() + b"1,\xe9,3\n" + GOOD[0].encode())

    found = predicted("anomaly", file, "-o", tmp_path / "scores.csv")

    assert (found["examples"], found["rejected"]) == (31, 1)
    assert found["first_rejects"][0]["row"] == 31
    assert "not UTF-8 text" in found["first_rejects"][0]["reason"]
    assert pd.read_csv(found["rejects"])["text"].tolist() == ["1,\\xe9,3"]


def test_a_labelled_row_that_lacks_a_value_is_not_scored_as_one_without_a_label(
    tmp_path: Path, predicted: Predicted
) -> None:
    lines = [",".join(CELLS[1:]), *GOOD, *as_lines(make_signals(5), label=None)]
    found = predicted("anomaly", write_csv(tmp_path / "ecg.csv", lines))
    assert (found["examples"], found["rejected"]) == (30, 6)


def test_a_bad_first_row_and_blank_lines_keep_the_numbers_of_the_lines(
    tmp_path: Path, predicted: Predicted
) -> None:
    file = write_csv(tmp_path / "ecg.csv", ["", "1,2", "", *GOOD[:3], "", GOOD[3]])
    output = tmp_path / "scores.csv"
    found = predicted("anomaly", file, "-o", output)
    reason = "2 values, expected 13 (12 samples and a label): complete the row or take it out"
    assert found["first_rejects"] == [{"row": 2, "reason": reason}]
    assert pd.read_csv(output)["row"].tolist() == [4, 5, 6, 8]


def test_all_rejects_go_to_the_named_file_and_a_few_are_told(
    tmp_path: Path, predict: Predict
) -> None:
    lines = [line for good in GOOD for line in (good, "bad,row")]
    file = write_csv(tmp_path / "ecg.csv", lines)
    rejects = tmp_path / "bad.csv"

    result = predict("anomaly", file, "--rejects", rejects)

    assert result.exit_code == 0
    assert pd.read_csv(rejects)["row"].tolist() == list(range(2, 61, 2))
    assert "row 10: 2 values, expected 13" in result.out
    assert "row 12:" not in result.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "ecg.csv"]


def test_strict_makes_rejects_exit_code_3(tmp_path: Path, predict: Predict) -> None:
    bad = write_csv(tmp_path / "bad.csv", [*GOOD, "1,2"])
    good = write_csv(tmp_path / "good.csv", GOOD)
    assert predict("anomaly", bad, "--strict", "-o", tmp_path / "scores.csv").exit_code == 3
    assert len(pd.read_csv(tmp_path / "scores.csv")) == 30
    assert predict("anomaly", good, "--strict").exit_code == 0


def test_rejects_of_a_former_output_do_not_stay_beside_a_new_one(
    tmp_path: Path, predicted: Predicted
) -> None:
    output = tmp_path / "scores.csv"
    predicted("anomaly", write_csv(tmp_path / "bad.csv", [*GOOD, "1,2"]), "-o", output)
    assert (tmp_path / "scores.rejects.csv").exists()
    predicted("anomaly", write_csv(tmp_path / "good.csv", GOOD), "-o", output)
    assert not (tmp_path / "scores.rejects.csv").exists()
