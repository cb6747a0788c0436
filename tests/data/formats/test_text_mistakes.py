"""A mistake in a text file or its settings is one line: place, what was found, what to do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.formats.labels import convention_notice, list_classes, no_normal_fault
from pipeline_config import SignalData, UserInputError
from tests.data.formats.readings import read, refusal
from tests.data.formats.test_text_file import SAMPLES, lines_of, write

KAGGLE = np.array(["0.000000000000000000e+00"] * 30 + ["1", "2", "3", "4"] * 2 + ["1", "2"])
HEADER = lines_of(names=True)[0]
PLAIN: dict[str, Any] = {"length": 6, "normal": ("N",)}

Case = tuple[list[str], dict[str, Any], str]

COLUMNS: dict[str, Case] = {
    "kaggle": (
        lines_of(classes=KAGGLE),
        {},
        "a.csv: rows have 7 columns, the last one holds 0..4: "
        "--set data.length=6 --set data.normal=0",
    ),
    "label_first": (
        lines_of("first"),
        PLAIN,
        "a.csv: each row has 7 values, but the first column holds N, V, L, ... (the label?): "
        "--set data.label=first",
    ),
    "label_first_and_length": (
        lines_of("first", classes=np.array(["1", "2"] * 20)),
        {"length": 10},
        "the first column holds 1 and 2 alone (the label?): "
        "--set data.label=first --set data.length=6",
    ),
    "label_last_not_first": (
        lines_of("last"),
        {**PLAIN, "label": "first"},
        "--set data.label=last",
    ),
    "index_and_label_first": (
        lines_of("first", classes=np.array(["1", "2"] * 20), front=str),
        {"length": 6},
        "--set data.drop=0 --set data.label=first",
    ),
    "dropped_one_of_two": (
        lines_of("last", front="p{}".format, names=True),
        {**PLAIN, "length": 5, "drop": ("t0",)},
        "--set data.drop=t0,0",
    ),
    "none_but_there_is_one": (
        lines_of("last", classes=np.array(["1", "0"] * 20)),
        {"length": 6, "label": "none"},
        "(the label?): --set data.label=last",
    ),
    "a_label_but_there_is_none": (
        lines_of(None),
        {"length": 6},
        "is no label: --set data.label=none",
    ),
    "real_numbers": (
        lines_of(classes=np.array([f"{value:.3f}" for value in SAMPLES[:, 0]])),
        {"length": 6},
        "is no label: --set data.label=none --set data.length=7",
    ),
    "all_unlabelled": (
        lines_of(classes=np.full(40, "")),
        {"length": 6},
        "is no label: --set data.drop=6 --set data.label=none",
    ),
    "two_labels": (
        [f"{number % 2},{line}" for number, line in enumerate(lines_of(None))],
        {"length": 6, "label": "none"},
        "(the label?): --set data.label=first",
    ),
    "no_such_label": (
        lines_of(names=True),
        {**PLAIN, "label": "beet"},
        "data.label=beet: there is no such column: --set data.label=beat",
    ),
    "label_without_names": (
        lines_of(),
        {**PLAIN, "label": "beat"},
        "data.label=beat, but no line names the columns: --set data.label=last",
    ),
    "no_such_drop": (
        lines_of(names=True),
        {**PLAIN, "drop": ("t9",)},
        "data.drop=t9: there is no such column: --set data.drop=t",
    ),
    "drop_without_names": (lines_of(), {**PLAIN, "drop": ("nr",)}, "no line names the columns"),
    "drop_out_of_range": (
        lines_of(),
        {**PLAIN, "drop": ("7",)},
        "data.drop=7: the file has the columns 0 to 6: --set data.drop=6",
    ),
    "label_dropped": (
        lines_of(names=True),
        {**PLAIN, "label": "beat", "drop": ("beat",)},
        "data.label=beat is a column that data.drop leaves out: --set data.label=none",
    ),
    "channels": (
        lines_of(),
        {**PLAIN, "length": 2, "channels": 4},
        "each row has 6 samples, which are not 4 channels of as many: "
        "--set data.channels=1 --set data.length=6",
    ),
    "channels_and_length": (
        lines_of(),
        {**PLAIN, "length": 6, "channels": 2},
        "rows have 7 columns, the last one holds 4, L, N and V: --set data.length=3",
    ),
    "other_separator": (
        lines_of(joint=";"),
        {**PLAIN, "separator": "tab"},
        "data.separator=tab, but cells are separated by semicolons: --set data.separator=semicolon",
    ),
    "bars": (lines_of(joint="|"), PLAIN, "cells are separated by '|': save it with"),
    "decimal_commas": (
        [line.replace(".", ",") for line in lines_of(joint=";")],
        PLAIN,
        "numbers have a decimal comma, such as '",
    ),
    "decimal_commas_and_tabs": (
        [line.replace(".", ",") for line in lines_of("first", joint="\t")],
        PLAIN,
        "numbers have a decimal comma, such as '",
    ),
    "header_only": ([HEADER], PLAIN, "has a header but no rows below it"),
}

ROWS: dict[str, tuple[str, str]] = {
    "short": ("1,2,3,N", "a.csv, row 41: 4 values, expected 7 (6 samples and a label): complete"),
    "long": ("1,2,3,4,5,6,7,N", "row 41: 8 values, expected 7 (6 samples and a label): shorten"),
    "names": (HEADER, "row 41: the line names columns (t0, t1, t2, ...), as the first line of a"),
    "tabs": ("1\t2\t3\t4\t5\t6\tN", "row 41: cells are separated by tabs, those of other rows by"),
    "blanks": ("1 2 3 4 5 6 N", "row 41: cells are separated by blanks, those of other rows by"),
    "decimal_comma": ('"1,5",2,3,4,5,6,N', "row 41, column 1: '1,5' has a decimal comma"),
    "torn_quote": ('"1,2,3,4,5,6,N', 'row 41: a quote (") is not closed in its line: close it'),
    "missing": ("1,nan,3,4,5,6,N", "row 41, column 2: 'nan' is a missing value"),
    "empty": ("1,,3,4,5,6,N", "row 41, column 2: the cell is empty"),
    "text": ("1,x,3,4,5,6,N", "row 41, column 2: 'x' is not a number"),
    "real_label": ("1,2,3,4,5,6,0.5", "row 41, column 7: the label is '0.5': it must be a whole"),
    "nul": ("1,2,3\0,4,5,6,N", "row 41: not UTF-8 text"),
    "carriage_return": ("1,2,3\r4,5,6,N", "row 41: lines end with CR alone"),
}


@pytest.mark.parametrize(("lines", "settings", "fault"), COLUMNS.values(), ids=COLUMNS)
def test_columns_that_are_not_as_the_settings_say(
    tmp_path: Path, lines: list[str], settings: dict[str, Any], fault: str
) -> None:
    found = refusal(write(tmp_path / "a.csv", lines), SignalData(**settings))
    assert found.startswith("a.csv: ")
    assert fault in found


@pytest.mark.parametrize("name", sorted(COLUMNS.keys() - {"header_only", "bars"}))
def test_the_settings_of_a_sentence_mend_it(tmp_path: Path, name: str) -> None:
    lines, settings, _ = COLUMNS[name]
    file = write(tmp_path / "a.csv", lines)
    if "decimal" in name or name in ("label_without_names", "no_such_drop", "drop_without_names"):
        pytest.skip("the file itself is to be mended, or a name is to be chosen")
    for _ in range(3):
        sentence = refusal(file, SignalData(**settings))
        for part in sentence.split("--set ")[1:]:
            key, _, text = part.split()[0].removeprefix("data.").partition("=")
            is_tuple = key in ("drop", "normal", "channel")
            value: Any = tuple(filter(None, text.split(","))) if is_tuple else text
            settings = settings | {key: int(text) if key in ("length", "channels") else value}
        try:
            read(file, SignalData(**settings))
        except UserInputError:
            continue
        return
    raise AssertionError(f"still refused: {refusal(file, SignalData(**settings))}")


@pytest.mark.parametrize(("row", "fault"), ROWS.values(), ids=ROWS)
def test_a_row_that_is_no_example(tmp_path: Path, row: str, fault: str) -> None:
    file = write(tmp_path / "a.csv", [*lines_of(), row, *lines_of()])
    assert fault in refusal(file, SignalData(**PLAIN))


def test_a_numbered_header_in_the_middle_is_no_row(tmp_path: Path) -> None:
    rows = ["0,1,2,3,4,5,6", *lines_of()]
    fault = refusal(write(tmp_path / "a.csv", rows + rows), SignalData(**PLAIN))
    assert "row 42: the line names columns (0, 1, 2, ...)" in fault


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le"])
def test_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes("\n".join(lines_of("last", "\t")).encode(encoding))
    assert "a.csv: the file is UTF-" in refusal(file, SignalData(**PLAIN))


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("\n".join(lines_of("first", ";", names=True)), encoding="utf-8-sig")
    assert len(read(file, SignalData(**{**PLAIN, "label": "beat"})).rows) == 40


def test_lines_that_end_with_cr_alone(tmp_path: Path) -> None:
    fault = refusal(write(tmp_path / "a.csv", lines_of("first", "\t"), "\r"), SignalData(**PLAIN))
    assert "lines end with CR alone" in fault


def test_more_values_than_classes_are_no_label(tmp_path: Path) -> None:
    names = np.array([f"{number % 150}" for number in range(400)])
    lines = [line for _ in range(10) for line in lines_of(None)]
    rows = [f"{line},{name}" for line, name in zip(lines, sorted(names, key=int), strict=True)]
    fault = refusal(write(tmp_path / "a.csv", rows), SignalData(length=6))
    assert fault.endswith("these are no classes: --set data.label=none --set data.drop=6")


@pytest.mark.parametrize(
    ("counts", "normal", "setting"),
    [
        ({"0": 72471, "1": 2223, "2": 5788, "3": 641, "4": 6431}, ["1"], "--set data.normal=0"),
        ({"0": 60, "1": 40}, ["1"], "--set data.normal=0"),
        ({"N": 60, "V": 40}, ["V"], "--set data.normal=N"),
        ({"normal beat": 60, "V": 40}, ["V"], "--set 'data.normal=normal beat'"),
    ],
)
def test_labels_that_look_the_wrong_way_round(
    counts: dict[str, int], normal: list[str], setting: str
) -> None:
    notice = convention_notice(counts, normal)
    assert notice is not None
    assert notice.endswith(f"is the normal one: {setting}")


@pytest.mark.parametrize(
    ("counts", "normal"),
    [
        ({"0": 2079, "1": 2919}, ["1"]),
        ({"1": 292, "2": 177, "3": 10}, ["1"]),
        ({"0": 60, "1": 40}, ["0"]),
        ({"N": 30, "L": 30, "V": 50}, ["N", "L"]),
        ({}, ["1"]),
    ],
)
def test_labels_of_a_majority_of_normal_rows(counts: dict[str, int], normal: list[str]) -> None:
    assert convention_notice(counts, normal) is None
    assert no_normal_fault(counts, normal) is None


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        ("0 1 2 3 4", "0..4"),
        ("0 1", "0 and 1"),
        ("10 9 8", "8..10"),
        ("1 3 5", "1, 3 and 5"),
        ("N", "N"),
        ("N V -1", "-1, N and V"),
        (" ".join(f"c{number:02}" for number in range(30)), "and 21 more"),
    ],
)
def test_classes_are_listed(names: str, listed: str) -> None:
    assert list_classes(dict.fromkeys(names.split(), 1)).endswith(listed)
