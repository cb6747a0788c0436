"""A column that is neither a sample nor a label is refused, and `--drop-column` leaves it out."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.pipeline.scoring.conftest import Predict, Predicted, mistake
from tests.pipeline.scoring.tiny_served import LENGTH, as_lines, idx_bytes, make_signals, write_csv

SIGNALS = make_signals(300)
ON_BEAM = "--beam-arg=--runner=FnApiRunner"
LAYOUTS: dict[str, tuple[Callable[[pd.DataFrame], str], str, list[int]]] = {
    "pandas_index": (lambda t: t.to_csv(), "has no name in the header", [0]),
    "index": (lambda t: t.to_csv(header=False), "the first column counts 0, 1, 2, ...", [0]),
    "index_without_label": (
        lambda t: t.iloc[:, :-1].to_csv(header=False),
        "the first column counts 0, 1, 2, ...",
        [0],
    ),
    "label_first": (
        lambda t: t.iloc[:, [LENGTH, *range(LENGTH)]].to_csv(header=False, index=False),
        "the first column holds 0 and 1 alone (the label?)",
        [0],
    ),
    "commas_at_the_end": (
        lambda t: t.to_csv(header=False, index=False, lineterminator=",\n"),
        "is empty: a separator ends each line",
        [LENGTH + 1],
    ),
    "index_and_label_first": (
        lambda t: t.iloc[:, [LENGTH, *range(LENGTH)]].to_csv(header=False),
        "counts 0, 1, 2, ... (an index?), column 2 holds 0 and 1 alone (the label?)",
        [0, 1],
    ),
}


@pytest.fixture
def table() -> pd.DataFrame:
    cells = [line.split(",") for line in as_lines(SIGNALS, label=None)]
    frame = pd.DataFrame(cells, columns=[f"t{step}" for step in range(LENGTH)])
    return frame.assign(label=[index % 2 for index in range(len(SIGNALS))])


@pytest.mark.parametrize(("save", "found", "columns"), LAYOUTS.values(), ids=LAYOUTS)
def test_an_odd_column_is_refused_and_can_be_dropped(
    tmp_path: Path,
    predict: Predict,
    predicted: Predicted,
    table: pd.DataFrame,
    save: Callable[[pd.DataFrame], str],
    found: str,
    columns: list[int],
) -> None:
    file = tmp_path / "odd.csv"
    file.write_text(save(table))
    plain = write_csv(tmp_path / "plain.csv", as_lines(SIGNALS))
    drop = [part for column in columns for part in ("--drop-column", str(column))]

    line = mistake(predict("anomaly", file, "-o", tmp_path / "scores.csv"))

    assert line.startswith(f"{file}: each row has ")
    assert found in line
    assert line.endswith(" ".join(drop))
    assert not (tmp_path / "scores.csv").exists()
    expected = predicted("anomaly", plain, "-o", tmp_path / "plain.scores.csv")
    kept = predicted("anomaly", file, "-o", tmp_path / "scores.csv", *drop)
    assert (kept["examples"], kept["rejected"]) == (300, 0)
    assert kept["error_quantiles"] == expected["error_quantiles"]
    errors = [pd.read_csv(tmp_path / name)["error"] for name in ("plain.scores.csv", "scores.csv")]
    assert errors[0].equals(errors[1])


def test_workers_refuse_and_drop_the_same_columns(
    tmp_path: Path, predict: Predict, predicted: Predicted, table: pd.DataFrame
) -> None:
    file = tmp_path / "odd.csv"
    table.to_csv(file)
    assert "--drop-column 0" in mistake(predict("anomaly", file, ON_BEAM))
    here, there = (predicted("anomaly", file, "--drop-column", "0", *on) for on in ([], [ON_BEAM]))
    assert there["error_quantiles"] == here["error_quantiles"]
    assert (there["examples"], there["rejected"]) == (300, 0)


def test_a_pipe_is_judged_too(
    predict: Predict, piped: Callable[[bytes], None], table: pd.DataFrame
) -> None:
    piped(table.to_csv().encode())
    line = mistake(predict("anomaly", "-"))
    assert line.startswith("standard input: each row has 14 values")
    assert line.endswith("--drop-column 0")


@pytest.mark.parametrize("on", [[], [ON_BEAM]], ids=["here", "beam"])
def test_a_row_whose_label_is_a_sample_is_rejected(
    tmp_path: Path, predicted: Predicted, on: list[str]
) -> None:
    lines = as_lines(SIGNALS)
    lines[250] = ",".join([*lines[250].split(",")[:LENGTH], "-0.25"])
    lines[251] = ",".join([*lines[251].split(",")[:LENGTH], ""])
    found = predicted("anomaly", write_csv(tmp_path / "ecg.csv", lines), *on)
    assert (found["examples"], found["rejected"]) == (299, 1), "no label is no mistake"
    reason = "column 13: the label is '-0.25': it must be a whole number or text"
    assert found["first_rejects"] == [{"row": 251, "reason": reason}]


def test_faults_name_columns_as_they_are_in_the_file(
    tmp_path: Path, predicted: Predicted, table: pd.DataFrame
) -> None:
    table.loc[7, "t3"] = "abc"
    table["label"] = table["label"].astype(float)
    table.loc[8, "label"] = 0.5
    table.to_csv(tmp_path / "odd.csv")
    found = predicted("anomaly", tmp_path / "odd.csv", "--drop-column", "0")
    assert [rejected["reason"][:40] for rejected in found["first_rejects"]] == [
        "column 5: 'abc' is not a number: correct",
        "column 14: the label is '0.5': it must b",
    ]


def test_columns_that_cannot_be_dropped(
    tmp_path: Path, predict: Predict, table: pd.DataFrame
) -> None:
    table.to_csv(tmp_path / "odd.csv")
    line = mistake(predict("anomaly", tmp_path / "odd.csv", "--drop-column", "14"))
    assert line.endswith("--drop-column 14: the file has the columns 0 to 13")
    (tmp_path / "images").write_bytes(idx_bytes(SIGNALS[:1].astype("uint8").reshape(1, 3, 4)))
    line = mistake(predict("basic", tmp_path / "images", "--drop-column", "0"))
    assert "an IDX file has no columns" in line
