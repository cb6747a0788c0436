"""Each mistake in a CSV gives one line that names file, row, column and remedy."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from data.formats.rows import accepted
from data.formats.signal_file import read_signals
from pipeline_config import SignalData, UserInputError

GOOD = "0.5,-1.25,2,1\n0.25,0.5,0.75,0\n"

BAD_FILES = {
    "empty": (b"", "the file is empty"),
    "blank_lines": (b"\n\r\n\n", "the file is empty"),
    "header_only": (b"a,b,c,label\n", "the file has a header but no rows below it"),
    "short_row": (GOOD + "1,2,0\n" + GOOD, "row 3: 3 values, expected 4 (3 samples and a label)"),
    "short_first_row": ("1,2,0\n" + GOOD, "row 1: 3 values, expected 4"),
    "long_row": (GOOD + "1,2,3,4,0\n", "row 3: 5 values, expected 4"),
    "row_after_header": ("a,b,c,label\n" + GOOD + "1,2,0\n", "row 4: 3 values"),
    "row_after_blank_lines": ("\n\n" + GOOD + "\n1,2,0\n", "row 6: 3 values"),
    "text_in_a_number": (GOOD + "1,abc,3,0\n", "row 3, column 2: 'abc' is not a number"),
    "text_in_row_1": ("1,abc,3,0\n" + GOOD, "row 1, column 2: 'abc' is not a number"),
    "underscore": (GOOD + "1,1_0,3,0\n", "row 3, column 2: '1_0' is not a number"),
    "nan": (GOOD + "NaN,2,3,0\n", "row 3, column 1: 'NaN' is a missing value"),
    "inf": (GOOD + "1,2,-inf,0\n", "row 3, column 3: '-inf' is not a finite float32"),
    "too_large": (GOOD + "1,2,1e39,0\n", "row 3, column 3: '1e39' is not a finite float32"),
    "empty_cell": (GOOD + "1,,3,0\n", "row 3, column 2: the cell is empty"),
    "empty_cells_in_row_1": (",,,\n" + GOOD, "row 1, column 1: the cell is empty"),
    "label_half": (
        GOOD + "1,2,3,0.5\n",
        "row 3, column 4: the label is '0.5': it must be a whole number",
    ),
    "bars": ("1|2|3|0\n", "cells are separated by '|': save it with commas, tabs, semicolons"),
    "decimal_commas": (
        "1,5;2,5;3,5;0\n",
        "numbers have a decimal comma, such as '1,5': save it with",
    ),
    "other_length": ("1,2,3,4,0\n5,6,7,8,1\n", "the last one holds 0 and 1: --set data.length=4"),
    "other_length_header": ("a,b,c,d,e\n1,2,3,4,0\n", "the last one holds 0: --set data.length=4"),
    "truncated_gzip": (gzip.compress(GOOD.encode())[:-12], "the gzip data is damaged or ends"),
    "damaged_gzip": (b"\x1f\x8b" + b"nonsense" * 4, "the gzip data is damaged or ends"),
    "latin_1": (b"1,2,3,0\n1,2,\xe9,0\n", "row 2: not UTF-8 text"),
    "binary": (b"\x7fELF\x02\x01\x01\0\0\0", "row 1: not UTF-8 text"),
    "utf_16": (GOOD.encode("utf-16"), "the file is UTF-16 text: save the file as CSV (UTF-8)"),
    "index": (
        "0,1,2,3,1\n1,4,5,6,0\n2,5,5,5,0\n",
        "counts 0, 1, 2 (an index?): --set data.drop=0",
    ),
    "label_first": (
        "1,.5,2,3\n0,5.5,6,7\n",
        "holds 0 and 1 alone (the label?): --set data.label=first",
    ),
    "comma_at_the_end": (
        "1,2,3,0,\n4,5,7,1,\n",
        "is empty: a separator ends each line: --set data.drop=4",
    ),
    "parquet": (b"PAR1\x15\0", "the Parquet file is damaged or ends early"),
    "cr_only": (GOOD.replace("\n", "\r"), "row 1: lines end with CR alone"),
}


@pytest.mark.parametrize(("content", "expected"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_file_names_place_and_remedy(
    tmp_path: Path, content: str | bytes, expected: str
) -> None:
    file = tmp_path / "ecg.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(UserInputError) as raised:
        list(accepted(read_signals(str(file), SignalData(length=3))))

    assert str(raised.value).startswith(str(file))
    assert expected in str(raised.value)


BAD_DATA = {
    "only_normal": ("1,2,3,1\n4,5,6,1\n", "every row has the label 1: give rows of both classes"),
    "flat_rows": ("2,2,2,1\n3,3,3,0\n", "in each of the 2 rows all samples are the same number"),
    "one_signal": ("1,2,3,1\n1,2,3,0\n1,2,3,0\n", "all 3 rows are the same signal: give the"),
    "only_abnormal": ("1,2,3,0\n", "the classes are 0 (1 row): --set data.normal=0"),
}


@pytest.mark.parametrize(("content", "expected"), BAD_DATA.values(), ids=BAD_DATA)
def test_rows_that_teach_nothing_together(
    tmp_path: Path, signal_fault: Callable[..., str], content: str, expected: str
) -> None:
    (tmp_path / "ecg.csv").write_text(content)

    line = signal_fault(tmp_path, length=3)

    assert line.startswith(str(tmp_path))
    assert expected in line


def test_bad_row_in_a_later_block_has_its_own_number(
    tmp_path: Path, signal_fault: Callable[..., str]
) -> None:
    rows = ["0.125,0.25,0.5,1", "0.5,0.25,0.125,0"] * 50_000
    rows[70_000] = "0.125,0.25,x,1"
    (tmp_path / "ecg.csv").write_text("a,b,c,label\n" + "\n".join(rows))

    assert "ecg.csv, row 70002, column 3: 'x'" in signal_fault(tmp_path, length=3)


def test_no_file_matches(tmp_path: Path, signal_fault: Callable[..., str]) -> None:
    assert signal_fault(tmp_path) == (f"{tmp_path}/*.csv{{,.gz}}: no file matches: put data there")


def test_same_file_plain_and_compressed(tmp_path: Path, signal_fault: Callable[..., str]) -> None:
    (tmp_path / "ecg.csv").write_text(GOOD)
    (tmp_path / "ecg.csv.gz").write_bytes(gzip.compress(GOOD.encode()))

    assert "there is a ecg.csv.gz beside it: remove one" in signal_fault(tmp_path, length=3)


def test_one_class_is_an_error_for_the_tutorial_split_too(
    tmp_path: Path, signal_fault: Callable[..., str]
) -> None:
    (tmp_path / "ecg.csv").write_text("1,2,3,1\n")

    assert "every row has the label 1" in signal_fault(tmp_path, length=3, split="tutorial")
