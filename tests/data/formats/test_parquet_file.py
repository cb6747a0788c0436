"""Parquet files, as pyarrow and pandas write them, are read row by row, or refused in one line."""

import decimal
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_config import SignalData
from tests.data.formats.readings import read, refusal, score

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(30, 12))
X3 = RANDOM.normal(size=(30, 12, 3))
Y = np.arange(30) % 3
LABELS = np.where(Y == 1, 1, 0)
WIDE = {f"t{place}": X[:, place] for place in range(12)}
LISTS = {"signal": [*X]}
KINDS = pa.array(["V", "N", None] * 10)
TIMES = pa.array(pd.date_range("2024-01-01", periods=30))


def data(**settings: Any) -> SignalData:
    return SignalData(**{"length": 12, **settings})


UNLABELLED = data(label="none")


def parquet(folder: Path, table: pa.Table | dict[str, Any]) -> Path:
    """Writes a file of several row groups."""
    whole = pa.table(table) if isinstance(table, dict) else table
    pq.write_table(whole, folder / "a.parquet", row_group_size=7)
    return folder / "a.parquet"


SAMPLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a_column_a_sample": (WIDE, {}),
    "lists": (LISTS, {}),
    "lists_of_float32": ({"s": pa.array([*X.astype("f4")], pa.list_(pa.float32()))}, {}),
    "large_lists": ({"s": pa.array([*X], pa.large_list(pa.float64()))}, {}),
    "lists_of_fixed_size": ({"s": pa.FixedSizeListArray.from_arrays(X.ravel(), 12)}, {}),
    "left_out": ({"id": Y, **WIDE, "at": TIMES}, {"drop": ("at", "0")}),
    "dots_in_names": ({f"t.{place}": X[:, place] for place in range(12)}, {}),
}


@pytest.mark.parametrize(("columns", "settings"), SAMPLES.values(), ids=SAMPLES)
def test_samples_without_labels(
    tmp_path: Path, columns: dict[str, Any], settings: dict[str, Any]
) -> None:
    found = read(parquet(tmp_path, columns), data(label="none", **settings)).rows
    assert np.array_equal(found.values, X.astype(np.float32))
    assert found.numbers.tolist() == [*range(1, 31)]
    assert set(found.labels.tolist()) == {-1}


@pytest.mark.parametrize(
    "columns",
    [{"signal": X3.tolist()}, {f"lead{place}": [*X3[..., place]] for place in range(3)}],
    ids=["lists_of_lists", "a_list_a_channel"],
)
def test_channels(tmp_path: Path, columns: dict[str, Any]) -> None:
    found = read(parquet(tmp_path, columns), data(label="none", channels=3)).rows
    assert np.array_equal(found.values, X3.astype(np.float32))


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ({"signal": X3.tolist()}, ("2", "0")),
        ({name: [*X3[..., place]] for place, name in enumerate("abc")}, ("c", "0")),
    ],
    ids=["lists_of_lists", "a_list_a_channel"],
)
def test_channels_by_name_or_number(
    tmp_path: Path, columns: dict[str, Any], names: tuple[str, ...]
) -> None:
    path = parquet(tmp_path, columns)
    two = read(path, data(label="none", channels=2, channel=names)).rows
    assert np.array_equal(two.values, X3[..., [2, 0]].astype(np.float32))
    one = read(path, data(label="none", channel=names[:1])).rows
    assert np.array_equal(one.values, X3[..., 2].astype(np.float32))


LABELLED: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "last": ({**WIDE, "y": Y}, {}, ["0", "1", "2"]),
    "first": ({"y": Y.astype(float), **LISTS}, {"label": "first"}, ["0", "1", "2"]),
    "first_column": ({"y": Y, **WIDE}, {"label": "first"}, ["0", "1", "2"]),
    "by_name": ({"y": Y, **WIDE, "id": Y}, {"label": "y", "drop": ("id",)}, ["0", "1", "2"]),
    "text": ({**LISTS, "kind": KINDS}, {"normal": ("N",)}, ["V", "N", ""]),
    "dictionary": ({**LISTS, "y": KINDS.dictionary_encode()}, {"normal": ("N",)}, ["V", "N", ""]),
    "some": ({**WIDE, "y": pa.array([0, 1, None] * 10)}, {}, ["0", "1", ""]),
    "truths": ({**WIDE, "y": pa.array([False, True, None] * 10)}, {}, ["0", "1", ""]),
    "none_at_all": ({**WIDE, "y": pa.nulls(30)}, {}, ["", "", ""]),
}


@pytest.mark.parametrize(("columns", "settings", "names"), LABELLED.values(), ids=LABELLED)
def test_labels(
    tmp_path: Path, columns: dict[str, Any], settings: dict[str, Any], names: list[str]
) -> None:
    found = read(parquet(tmp_path, columns), data(**settings)).rows
    assert np.array_equal(found.values, X.astype(np.float32))
    assert found.classes is not None
    assert found.classes.tolist() == names * 10
    expected = [{"1": 1, "N": 1, "": -1}.get(name, 0) for name in names]
    assert found.labels.tolist() == expected * 10


def test_an_index_of_pandas_is_no_sample(tmp_path: Path) -> None:
    frame = pd.DataFrame({**WIDE, "label": Y}, index=pd.Index(np.arange(30) * 2, name="beat"))
    frame.to_parquet(tmp_path / "a.parquet")
    found = read(tmp_path / "a.parquet", data()).rows
    assert np.array_equal(found.labels, LABELS)


@pytest.mark.parametrize(
    ("columns", "settings"),
    [
        (WIDE, data()),
        ({**WIDE, "y": Y}, data()),
        (LISTS, data(label="kind")),
        ({**LISTS, "kind": KINDS}, data(label="kind")),
        ({**LISTS, "kind": TIMES}, data()),
        (LISTS, data(label="none", drop=("id",))),
    ],
)
def test_a_file_to_score_may_lack_labels(
    tmp_path: Path, columns: dict[str, Any], settings: SignalData
) -> None:
    found = score(parquet(tmp_path, columns), settings).rows
    assert np.array_equal(found.values, X.astype(np.float32))
    assert set(found.labels.tolist()) == {-1}


@pytest.mark.parametrize(("first", "stop"), [(0, 5), (6, 8), (7, 14), (11, 25), (29, None)])
def test_a_part_is_read_without_the_rest(tmp_path: Path, first: int, stop: int | None) -> None:
    found = score(parquet(tmp_path, WIDE), UNLABELLED, first, stop).rows
    assert np.array_equal(found.values, X[first:stop].astype(np.float32))
    assert found.numbers.tolist() == [*range(first + 1, (stop or 30) + 1)]


def test_rows_that_are_no_examples_are_rejected(tmp_path: Path) -> None:
    rows: list[Any] = X.tolist()
    rows[4], rows[6], rows[8][3], rows[9][0] = rows[4][:-2], None, None, np.inf
    found = score(parquet(tmp_path, {"signal": rows}), UNLABELLED)
    assert [row.located() for row in found.rejected] == [
        "row 5: 10 samples, expected 12: complete the row or take it out",
        "row 7: the list of samples is missing: fill it in or take the row out",
        "row 9, sample 4: 'nan' is a missing value: fill it in or take the row out",
        "row 10, sample 1: 'inf' is not a finite float32: correct it or take the row out",
    ]
    kept = [index for index in range(30) if index not in (4, 6, 8, 9)]
    assert np.array_equal(found.rows.values, X[kept].astype(np.float32))
    assert refusal(tmp_path / "a.parquet", UNLABELLED).startswith("a.parquet, row 5: 10 samples")


def test_rows_whose_samples_differ_in_channels_are_rejected(tmp_path: Path) -> None:
    rows: list[Any] = X3.tolist()
    rows[4][2], rows[5][1], rows[6], rows[7] = [1.0, 2.0], None, None, rows[7][:3]
    found = score(parquet(tmp_path, {"signal": rows}), data(label="none", channels=3))
    assert [row.row for row in found.rejected] == [5, 6, 7, 8]
    assert found.rejected[0].reason.startswith("not 3 channels in each sample")
    kept = [index for index in range(30) if index not in (4, 5, 6, 7)]
    assert np.array_equal(found.rows.values, X3[kept].astype(np.float32))


def test_a_missing_list_of_fixed_size_is_refused(tmp_path: Path) -> None:
    rows = pa.array([None, *X[1:].tolist()], pa.list_(pa.float64(), 12))
    path = parquet(tmp_path, {"signal": rows})
    assert "a list of fixed size is missing in a row" in refusal(path, UNLABELLED)


def test_missing_numbers_of_any_type(tmp_path: Path) -> None:
    columns = {
        "a": pa.array([1, None] * 15),
        "b": pa.array([True, None] * 15),
        "c": pa.array([decimal.Decimal("1.5")] * 30),
    }
    found = score(parquet(tmp_path, columns), data(length=3, label="none"))
    assert found.rows.values.tolist() == [[1.0, 1.0, 1.5]] * 15
    assert len(found.rejected) == 15


COLUMNS: dict[str, tuple[Any, SignalData, str]] = {
    "another_length": (
        LISTS,
        data(length=140, label="none"),
        "a.parquet: each row has 12 samples, but data.length=140: --set data.length=12",
    ),
    "another_length_of_columns": (
        {**WIDE, "y": Y},
        data(length=140),
        "a.parquet: each row has 12 samples and a label (last), but data.length=140: "
        "--set data.length=12, or, if it is no label, --set data.label=none --set data.length=13",
    ),
    "channels": (
        {"signal": X3.tolist()},
        UNLABELLED,
        "data.length=12 and data.channels=1: --set data.channels=3",
    ),
    "a_list_a_channel": ({"a": [*X], "b": [*X]}, UNLABELLED, "--set data.channels=2"),
    "no_label": (WIDE, data(), "a.parquet: the last value of each row is no class (0.04"),
    "label_first": (
        {"kind": Y, **WIDE},
        data(length=140),
        "the first one holds 0, 1 and 2 alone: --set data.label=first --set data.length=12",
    ),
    "label_by_its_name": (
        {"t": X[:, 0], "Label": Y, **{name: WIDE[name] for name in list(WIDE)[1:]}},
        data(),
        "the labels seem to be in column Label: --set data.label=Label",
    ),
    "text_named_label": (
        {"class": KINDS, **WIDE},
        data(),
        "the labels seem to be in column class: --set data.label=class",
    ),
    "label_not_said": (
        {**WIDE, "kind": Y},
        UNLABELLED,
        "one more than data.length=12, and the last one holds 0, 1 and 2 alone: --set data.label",
    ),
    "no_such_channel": (
        {"a": [*X], "b": [*X]},
        data(label="none", channel=("c",)),
        "data.channel=c: there is no such channel: there are 0 'a', 1 'b'",
    ),
    "label_is_a_list": (
        {"kind": KINDS, **LISTS},
        data(),
        "data.label=last, but the last column, signal, holds lists: --set data.label=kind",
    ),
    "only_a_list": (LISTS, data(), "holds lists: --set data.label=none"),
    "label_by_another_name": (
        {**LISTS, "kind": KINDS},
        data(label="y"),
        "there is no column 'y' of labels: it has signal, kind: --set data.label=NAME",
    ),
    "drop_by_another_name": (
        LISTS,
        data(label="none", drop=("id",)),
        "data.drop=id: there is no such column: it has signal",
    ),
    "text_among_samples": (
        {**WIDE, "note": KINDS, "y": Y},
        data(),
        "these columns hold no samples: note (string): --set data.drop=note",
    ),
    "numbers_beside_lists": (
        {"id": Y, **LISTS, "y": Y},
        data(drop=("y",), label="none"),
        "these columns hold no samples: id (int64): --set data.drop=y,id, or, if it is the label",
    ),
    "times_as_labels": ({**WIDE, "at": TIMES}, data(), "labels, at, holds timestamp[ns]: give"),
    "twice": (pa.table([X[:, 0], X[:, 1]], names=["a", "a"]), UNLABELLED, "two columns are named"),
    "no_rows": (pa.table(WIDE).slice(0, 0), UNLABELLED, "there are no rows in it: give one"),
    "all_left_out": ({"a": Y}, data(drop=("a",)), "there is no column of samples: it has a"),
}


@pytest.mark.parametrize(("table", "settings", "expected"), COLUMNS.values(), ids=COLUMNS)
def test_columns_of_another_kind_are_refused(
    tmp_path: Path, table: Any, settings: SignalData, expected: str
) -> None:
    assert expected in refusal(parquet(tmp_path, table), settings)


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "end": lambda content: content[:-20],
    "middle": lambda content: content[:3000] + bytes(200) + content[3200:],
    "start": lambda content: content[:10],
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = parquet(tmp_path, {**WIDE, "y": Y})
    path.write_bytes(damage(path.read_bytes()))
    assert refusal(path, data()).startswith("a.parquet: the Parquet file is damaged or ends early")


def test_a_file_within_gzip_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, WIDE)
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert "(parquet) is not read through gzip: unpack it" in refusal(path, UNLABELLED)
