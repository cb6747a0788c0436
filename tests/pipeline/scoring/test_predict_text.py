"""A text file is scored as the run read its own, with its label, without it, or samples alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline_config import SignalData
from tests.pipeline.scoring.conftest import Predict, Predicted, mistake
from tests.pipeline.scoring.tiny_served import LENGTH, as_lines, make_signals, write_csv

SIGNALS = make_signals(200)
CELLS = [line.split(",") for line in as_lines(SIGNALS, label=None)]
NAMES = [f"t{step}" for step in range(LENGTH)]
ON_BEAM = "--beam-arg=--runner=FnApiRunner"
ReadSo = Callable[[SignalData], Path]


def text_of(
    joint: str = ",", *front: str, behind: tuple[str, ...] = (), names: bool = False
) -> list[str]:
    """Lines with columns before and behind the samples: beat (a class), nr, note (nothing)."""
    values = {"beat": lambda row: "NVL1"[row % 4], "nr": str, "note": lambda row: ""}
    lines = [[*front, *NAMES, *behind]] if names else []
    lines += [
        [*(values[name](row) for name in front), *cells, *(values[name](row) for name in behind)]
        for row, cells in enumerate(CELLS)
    ]
    return [joint.join(line) for line in lines]


FIRST = {"label": "first", "normal": ("N",)}
READ: dict[str, tuple[dict[str, Any], list[list[str]]]] = {
    "last": (
        {"normal": ("N",)},
        [text_of(";", behind=("beat",)), text_of(" "), text_of("\t", behind=("beat",), names=True)],
    ),
    "first": (
        FIRST,
        [text_of("\t", "beat"), text_of("\t"), text_of("  ", "beat", names=True)],
    ),
    "by_name": (
        {"label": "beat", "normal": ("N",), "drop": ("nr",)},
        [
            text_of(",", "nr", "beat", names=True),
            text_of(",", "nr", names=True),
            text_of(",", "beat", "nr", names=True),
            text_of(","),
        ],
    ),
    "index_and_first": (
        {**FIRST, "drop": ("1",)},
        [text_of(",", "beat", "nr"), text_of(",", "nr"), text_of(",")],
    ),
    "empty_end": (
        {"normal": ("N",), "drop": (str(LENGTH + 1),)},
        [text_of(",", behind=("beat", "note")), text_of(",", behind=("note",)), text_of(",")],
    ),
    "none": ({"label": "none"}, [text_of("\t"), text_of(",", names=True)]),
}


@pytest.mark.parametrize(("settings", "files"), READ.values(), ids=READ)
def test_what_was_trained_on_scores_without_options(
    tmp_path: Path,
    predicted: Predicted,
    read_so: ReadSo,
    settings: dict[str, Any],
    files: list[list[str]],
) -> None:
    models = read_so(SignalData(length=LENGTH, **settings))
    plain = write_csv(tmp_path / "plain.csv", as_lines(SIGNALS))
    expected = predicted("anomaly", plain, "-o", tmp_path / "plain.parquet")
    for lines in files:
        file = write_csv(tmp_path / "a.txt", lines)
        found = predicted("anomaly", file, "-o", tmp_path / "scores.parquet", models_dir=models)
        assert (found["examples"], found["rejected"]) == (200, 0), lines[:2]
        assert found["error_quantiles"] == expected["error_quantiles"], lines[:2]


def test_ranges_of_a_large_file(tmp_path: Path, predicted: Predicted, read_so: ReadSo) -> None:
    models = read_so(SignalData(length=LENGTH, **FIRST, drop=("1",)))
    file = write_csv(tmp_path / "a.tsv", [*text_of("\t", "beat", "nr", names=True), "N\t1\tx"])
    here, there = (predicted("anomaly", file, *on, models_dir=models) for on in ([], [ON_BEAM]))
    assert there["error_quantiles"] == here["error_quantiles"]
    assert there["first_rejects"] == here["first_rejects"]
    assert [rejected["row"] for rejected in here["first_rejects"]] == [202]


@pytest.mark.parametrize("on", [[], [ON_BEAM]], ids=["here", "beam"])
@pytest.mark.parametrize("suffix", ["arff", "ts"])
def test_arff_and_ts(tmp_path: Path, predicted: Predicted, suffix: str, on: list[str]) -> None:
    attributes = "".join(f"@attribute {name} real\n" for name in NAMES)
    head, joint = {
        "arff": (f"@relation a\n{attributes}@attribute beat {{N,V}}\n@data", ","),
        "ts": ("@problemName a\n@classLabel true N V\n@data", ":"),
    }[suffix]
    rows = [f"{','.join(cells)}{joint}{'NV'[row % 2]}" for row, cells in enumerate(CELLS)]
    plain = write_csv(tmp_path / "plain.csv", as_lines(SIGNALS))
    file = write_csv(tmp_path / f"a.{suffix}", [head, *rows])
    expected = predicted("anomaly", plain)
    found = predicted("anomaly", file, *on)
    assert (found["examples"], found["rejected"]) == (200, 0)
    assert found["error_quantiles"] == expected["error_quantiles"]


def test_an_option_goes_before_the_settings(
    tmp_path: Path, predicted: Predicted, predict: Predict, read_so: ReadSo
) -> None:
    models = read_so(SignalData(length=LENGTH, **FIRST, drop=("1",)))
    file = write_csv(tmp_path / "a.csv", text_of(",", "nr", "beat"))
    found = predicted("anomaly", file, "--drop-column", "0", models_dir=models)
    assert (found["examples"], found["rejected"]) == (200, 0)
    line = mistake(predict("anomaly", file, "--drop-column", "20", models_dir=models))
    assert line.endswith("--drop-column 20: the file has the columns 0 to 13")


def test_rows_are_in_the_order_of_the_file(
    tmp_path: Path, predicted: Predicted, read_so: ReadSo
) -> None:
    models = read_so(SignalData(length=LENGTH, **FIRST))
    lines = text_of("\t", "beat")
    lines[5] = lines[5].replace("\t", ",")
    found = predicted(
        "anomaly", write_csv(tmp_path / "a.tsv", lines), "-o", tmp_path / "s.csv", models_dir=models
    )
    (rejected,) = found["first_rejects"]
    assert rejected["reason"].startswith("cells are separated by commas, those of other rows by")
    assert pd.read_csv(tmp_path / "s.csv")["row"].tolist() == [*range(1, 6), *range(7, 201)]
