"""What a table is made of is seen from its first rows, and what is wrong has one sentence."""

import datetime
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.formats.columns import BINARY_LABELS
from data.formats.scoring_layout import scoring_columns
from data.formats.table import read_start
from data.formats.training_layout import training_columns
from pipeline_config import SignalData, UserInputError

LENGTH = 12
ROWS = 30
SAMPLES = np.random.default_rng(3).normal(size=(ROWS, LENGTH)).round(6)
LABELS = np.tile([1, 0], ROWS)[:ROWS]


def _lines(*parts: np.ndarray | Sequence[object]) -> str:
    """A CSV of columns and blocks of columns, side by side."""
    frames = [pd.DataFrame(part) for part in parts]
    return pd.concat(frames, axis=1).to_csv(index=False, header=False)


def _pandas(**options: object) -> str:
    frame = pd.DataFrame(SAMPLES)
    frame[LENGTH] = LABELS
    return frame.to_csv(**options)


def _training(text: str, length: int = LENGTH, **settings: Any) -> str | None:
    data = SignalData(length=length, **settings)
    try:
        training_columns(read_start(text.split("\n"), "f.csv"), data, 1, "f.csv")
    except UserInputError as error:
        return str(error).removeprefix("f.csv: ")
    return None


def _scoring(text: str, *dropped: int, length: int = LENGTH) -> str | bool:
    try:
        start = read_start(text.split("\n"), "f.csv")
        columns = scoring_columns(start, length, BINARY_LABELS, dropped, "f.csv")
    except UserInputError as error:
        return str(error).removeprefix("f.csv: ")
    return columns.label is not None


COUNT = np.arange(ROWS)
PICKED = np.random.default_rng(1).permutation(5000)[:ROWS]
DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(days=int(day)) for day in COUNT]
NAMES = [f"patient-{number % 7}" for number in COUNT]
FIRST_COLUMNS: dict[str, tuple[Sequence[object] | np.ndarray, str]] = {
    "counts_from_0": (COUNT, "the first column counts 0, 1, 2, ... (an index?)"),
    "counts_from_1": (COUNT + 1, "the first column counts 1, 2, 3, ... (an index?)"),
    "counts_as_floats": (COUNT.astype(float), "the first column counts 0.0, 1.0, 2.0, ... (an"),
    "shuffled": (PICKED, "the first column holds whole numbers, 1720, 1080"),
    "filtered": (np.sort(PICKED), "the first column rises from row to row, "),
    "patients": (PICKED // 100 + 1, "the first column holds whole numbers, "),
    "seconds": (COUNT * 0.008, "the first column counts 0.0, 0.008, 0.016, ... (an index?)"),
    "events": (np.cumsum(1 + np.sin(COUNT) / 2), "the first column rises from row to row, 1.0"),
    "epoch": (1_700_000_000 + PICKED, "the first column holds times such as 1700001720"),
    "dates": (DAYS, "the first column holds times such as '2024-01-01'"),
    "clock": ([f"12:{number:02}:00" for number in COUNT], "holds times such as '12:00:00'"),
    "text": (NAMES, "the first column holds text such as 'patient-0'"),
    "empty": ([""] * ROWS, "the first column is empty"),
}


@pytest.mark.parametrize(("column", "found"), FIRST_COLUMNS.values(), ids=FIRST_COLUMNS)
def test_a_first_column_of_something_else_is_named(
    column: Sequence[object] | np.ndarray, found: str
) -> None:
    labelled = _lines(column, SAMPLES, LABELS)
    bare = _lines(column, SAMPLES)
    short = _lines(column, SAMPLES[:, 1:], LABELS)

    for text in (labelled, bare, short):
        line = _scoring(text)
        assert isinstance(line, str)
        assert found in line
        assert "--drop-column 0" in line
        assert ("leaves 11 values, which are not what" in line) is (text is short)
        assert found in (_training(text) or "")
        assert "data.length=13" not in (_training(text) or "")
        assert "--set data.drop=0" in (_training(text) or "")
    assert (_scoring(labelled, 0), _scoring(bare, 0)) == (True, False)
    assert (_training(short) or "").endswith("--set data.drop=0 --set data.length=11")
    assert (_training(labelled) or "").endswith("(an index?): --set data.drop=0") or found[
        -1
    ] != "?"
    assert (_training(bare) or "").endswith("--set data.drop=0 --set data.label=none")
    assert _training(labelled, drop=("0",)) is None
    assert _training(bare, drop=("0",), label="none") is None


def test_a_label_in_front_is_named() -> None:
    for text in (_lines(LABELS, SAMPLES), _lines(LABELS.astype(float), SAMPLES)):
        assert _training(text) == (
            "each row has 13 values, but the first column holds 0 and 1 alone (the label?): "
            "--set data.label=first"
        )
        assert _training(text, label="first") is None
        assert _scoring(text) == (
            "each row has 13 values, but the first column holds 0 and 1 alone (the label?): "
            "--drop-column 0"
        )
        assert _scoring(text, 0) is False


def test_classes_in_front_are_named() -> None:
    text = _lines(1 + COUNT % 5, SAMPLES)
    assert "the first column holds 1, 2, 3, 4 and 5 alone (the label?)" in (_training(text) or "")
    assert "--drop-column 0" in str(_scoring(text))


def test_an_index_and_a_label_in_front_are_both_named() -> None:
    for text, places in (
        (_lines(COUNT, LABELS, SAMPLES), "--drop-column 0 --drop-column 1"),
        (_lines(LABELS, COUNT, SAMPLES), "--drop-column 0 --drop-column 1"),
    ):
        assert str(_scoring(text)).endswith(places)
        assert _scoring(text, 0, 1) is False
        assert "set data.length" not in (_training(text) or "")


def test_an_index_in_front_and_a_label_behind() -> None:
    text = _lines(COUNT, SAMPLES, LABELS)
    assert _training(text) == (
        "each row has 14 values, expected 13 (12 samples and a label): the first column counts "
        "0, 1, 2, ... (an index?): --set data.drop=0"
    )
    assert _scoring(text) == (
        "each row has 14 values, but the model takes 12, with or without a label: "
        "the first column counts 0, 1, 2, ... (an index?): --drop-column 0"
    )


@pytest.mark.parametrize("labelled", [True, False])
def test_a_comma_at_each_end_is_named(labelled: bool) -> None:
    text = _lines(SAMPLES, LABELS) if labelled else _lines(SAMPLES)
    text = text.replace("\n", ",\n")
    line = str(_scoring(text))
    assert "is empty: a separator ends each line" in line
    assert line.endswith(f"--drop-column {LENGTH + labelled}")
    assert _scoring(text, LENGTH + labelled) is labelled
    advice = "" if labelled else " --set data.label=none"
    assert (_training(text) or "").endswith(f": --set data.drop={LENGTH + labelled}{advice}")


@pytest.mark.parametrize(
    "options",
    [
        {"index": False},
        {"index": False, "header": False},
        {"index": False, "header": [*map(str, range(1, LENGTH + 2))]},
        {"index": False, "header": [*(f"t{step}" for step in range(LENGTH)), "target"]},
        {"index": False, "header": [*map(str, range(1, LENGTH + 1)), "label"]},
        {"index": False, "header": [*(f"{step * 0.004:.3f}" for step in range(LENGTH)), "class"]},
        {"index": False, "quoting": 1},
        {"index": False, "lineterminator": "\r\n"},
    ],
)
def test_samples_and_a_label_are_what_they_are(options: dict[str, object]) -> None:
    text = _pandas(**options)
    assert (_training(text), _scoring(text)) == (None, True)
    start = read_start(text.split("\n"), "f.csv")
    assert start.header == (None if options.get("header") is False else 0)
    assert start.counts == {LENGTH + 1: ROWS}


@pytest.mark.parametrize("header", [True, [f"t{step}" for step in range(LENGTH + 1)]])
def test_an_index_that_pandas_wrote_is_known_by_its_empty_name(header: object) -> None:
    for rows in (1, 2, ROWS):
        lines = _pandas(header=header).split("\n")[: rows + 1]
        assert lines[0].startswith(",")
        line = str(_scoring("\n".join(lines)))
        assert "the first column has no name in the header and holds 0" in line
        assert line.endswith("--drop-column 0")
        assert (_training("\n".join(lines)) or "").endswith(": --set data.drop=0")


def test_data_length_is_the_advice_if_nothing_else_is_odd() -> None:
    text = _lines(SAMPLES, LABELS)
    assert _training(text, length=20) == (
        "rows have 13 columns, the last one holds 0 and 1: --set data.length=12"
    )
    assert (_training(_lines(SAMPLES)) or "").endswith("no label: --set data.label=none")
    assert "--set data.label=none --set data.length=12" in (
        _training(_lines(SAMPLES), length=20) or ""
    )


def test_a_last_column_of_samples_is_no_label() -> None:
    text = _lines(SAMPLES, SAMPLES[:, 0] + 3)
    assert "the last column (13) is no label (a whole number or text)" in str(_scoring(text))
    assert _scoring(text, 12) is False
    assert (_training(text) or "").endswith(
        f"the last column (13), such as '{SAMPLES[0, 0] + 3}', is no label: "
        "--set data.label=none --set data.length=13"
    )


def test_any_whole_numbers_or_text_are_labels() -> None:
    for labels in (1 + COUNT % 5, np.array(list("NVL"))[COUNT % 3]):
        text = _lines(SAMPLES, labels)
        assert _scoring(text) is True
        assert _scoring(text, 12) is False
        assert _training(text) is None


def test_labels_among_as_many_values_as_the_model_takes() -> None:
    for text in (_lines(SAMPLES[:, 1:], LABELS), _lines(LABELS, SAMPLES[:, 1:])):
        line = str(_scoring(text))
        assert "holds 0 and 1 alone (the label?)" in line
        assert line.endswith("leaves 11 values, which are not what this model takes")


@pytest.mark.parametrize("label", [0, 1])
def test_one_label_among_as_many_values_as_the_model_takes(label: int) -> None:
    # A file that is sorted by class begins with rows of one label.
    labels = np.full(ROWS, label)
    for text in (_lines(SAMPLES[:, 1:], labels), _lines(labels, SAMPLES[:, 1:])):
        line = str(_scoring(text))
        assert f"holds {label} alone, and no name in a first line makes it a sample" in line
        assert line.endswith("leaves 11 values, which are not what this model takes")
        names = ",".join(f"s{place}" for place in range(LENGTH))
        assert _scoring(f"{names}\n{text}") is False
    assert "holds 1 alone" in str(_scoring(_lines(COUNT, SAMPLES[:, 1:], np.ones(ROWS, int)), 0))
    padded = SAMPLES.copy()
    padded[:, -2:] = 0
    assert _scoring(_lines(padded)) is False


AMBIGUOUS: dict[str, Callable[[], str]] = {
    "bits": lambda: _lines((SAMPLES > 0).astype(int), LABELS),
    "first_and_last": lambda: _lines(1 - LABELS, SAMPLES[:, 1:], LABELS),
}


@pytest.mark.parametrize("make", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_two_columns_that_may_be_the_label(make: Callable[[], str]) -> None:
    text = make()
    assert "either may be the label: --drop-column 0 or --drop-column 12" in str(_scoring(text))
    assert "either may be the label: name the columns" in (_training(text) or "")
    assert "--set data.drop=0, or --set data.drop=12 --set data.label=first" in (
        _training(text) or ""
    )
    names = ",".join([*(f"t{step}" for step in range(LENGTH)), "label"])
    assert (_training(f"{names}\n{text}"), _scoring(f"{names}\n{text}")) == (None, True)
    assert _scoring(text, 12) is False


def test_the_rim_of_an_image_is_no_label() -> None:
    images = np.random.default_rng(2).integers(0, 256, (ROWS, LENGTH))
    images[:, [0, 1, -2, -1]] = 0
    classes = np.random.default_rng(2).integers(0, 10, ROWS)
    start = read_start(_lines(images, classes).split("\n"), "f.csv")
    assert scoring_columns(start, LENGTH, frozenset(range(10)), (), "f.csv").label == LENGTH
    start = read_start(_lines(classes, images).split("\n"), "f.csv")
    with pytest.raises(UserInputError, match="the label"):
        scoring_columns(start, LENGTH, frozenset(range(10)), (), "f.csv")


@pytest.mark.parametrize("separator", [";", "\t", " ", "   "])
def test_any_separator_is_found(separator: str) -> None:
    text = _lines(SAMPLES, LABELS).replace(",", separator)
    assert (_training(text), _scoring(text)) == (None, True)


def test_a_bar_is_no_separator() -> None:
    text = _lines(SAMPLES, LABELS).replace(",", "|")
    for found in (_training, _scoring):
        assert str(found(text)).startswith("cells are separated by '|': save it with commas")


def test_a_semicolon_within_a_name_is_no_separator() -> None:
    names = ",".join(['"a; b"', *(f"t{step}" for step in range(1, LENGTH)), "label"])
    assert _training(f"{names}\n{_lines(SAMPLES, LABELS)}") is None


def test_a_column_that_is_not_there_cannot_be_dropped() -> None:
    assert "--drop-column 99: the file has the columns 0 to" in str(
        _scoring(_lines(COUNT, SAMPLES, LABELS), 99)
    )
