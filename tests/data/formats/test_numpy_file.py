"""NumPy's files, as NumPy writes them, are read row by row, or refused in one line."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pipeline_config import SignalData
from tests.data.formats.readings import read, refusal, score

Array = npt.NDArray[Any]
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(30, 12)) * 50
X3 = RANDOM.normal(size=(30, 12, 3))
Y = np.arange(30) % 3
WITH_LABEL = np.column_stack([X, Y])
LABELS = np.where(Y == 1, 1, 0)


def data(**settings: Any) -> SignalData:
    return SignalData(**{"length": 12, **settings})


UNLABELLED = data(label="none")


def npy(folder: Path, array: Array) -> Path:
    np.save(folder / "a.npy", array)
    return folder / "a.npy"


def npz(folder: Path, *, compress: bool = False, **arrays: Array) -> Path:
    save = np.savez_compressed if compress else np.savez
    save(folder / "a.npz", **arrays)
    return folder / "a.npz"


@pytest.mark.parametrize("kind", ["<f2", "<f4", ">f8", "i1", "<u2", ">i4", "<i8", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_any_type_and_order(tmp_path: Path, kind: str, order: Any) -> None:
    array = np.array(X.astype(kind), order=order)
    found = read(npy(tmp_path, array), UNLABELLED).rows
    assert np.array_equal(found.values, array.astype(np.float32))
    assert found.numbers.tolist() == [*range(1, 31)]
    assert set(found.labels.tolist()) == {-1}
    assert found.classes is None


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_channels_of_an_npz(tmp_path: Path, compress: bool, order: Any) -> None:
    path = npz(tmp_path, compress=compress, x=np.array(X3, order=order), y=Y)
    if compress and order == "F":
        assert "array x: the array is compressed and in Fortran order" in refusal(
            path, data(channels=3)
        )
        return
    found = read(path, data(channels=3)).rows
    assert np.array_equal(found.values, X3.astype(np.float32))
    assert np.array_equal(found.labels, LABELS)


@pytest.mark.parametrize("order", ["C", "F"])
def test_channels_by_number(tmp_path: Path, order: Any) -> None:
    path = npy(tmp_path, np.array(X3, order=order))
    two = read(path, data(label="none", channels=2, channel=("2", "0"))).rows
    assert np.array_equal(two.values, X3[..., [2, 0]].astype(np.float32))
    one = read(path, data(label="none", channel=("1",))).rows
    assert np.array_equal(one.values, X3[..., 1].astype(np.float32))


def test_labels_may_begin_with_missing_ones(tmp_path: Path) -> None:
    labels = np.where(np.arange(30) < 20, np.nan, 1.0)
    found = read(npy(tmp_path, np.column_stack([X, labels])), data()).rows
    assert found.labels.tolist() == [-1] * 20 + [1] * 10


def test_gzip_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "beats.dat"
    path.write_bytes(gzip.compress(npy(tmp_path, X).read_bytes()))
    assert np.array_equal(read(path, UNLABELLED).rows.values, X.astype(np.float32))


LABEL_ARRAYS: dict[str, tuple[Array, list[str]]] = {
    "whole": (Y, ["0", "1", "2"]),
    "floats": (Y.astype(np.float32), ["0", "1", "2"]),
    "big_endian": (Y.astype(">i2"), ["0", "1", "2"]),
    "column": (Y[:, None], ["0", "1", "2"]),
    "text": (np.array(["V", "1", ""] * 10), ["V", "1", ""]),
    "bytes": (np.array([b"V", b"1", b""] * 10), ["V", "1", ""]),
    "missing": (np.array([0.0, 1.0, np.nan] * 10), ["0", "1", ""]),
    "truths": (np.array([False, True, False] * 10), ["0", "1", "0"]),
}


@pytest.mark.parametrize(("labels", "names"), LABEL_ARRAYS.values(), ids=LABEL_ARRAYS)
def test_labels_of_any_type(tmp_path: Path, labels: Array, names: list[str]) -> None:
    found = read(npz(tmp_path, x=X, y=labels), data()).rows
    assert found.classes is not None
    assert found.classes.tolist() == names * 10
    expected = [{"1": 1, "": -1}.get(name, 0) for name in names]
    assert found.labels.tolist() == expected * 10


@pytest.mark.parametrize(
    ("array", "settings"),
    [
        (WITH_LABEL, data()),
        (np.column_stack([Y, X]), data(label="first")),
        (WITH_LABEL, data(normal=("1.0",))),
    ],
)
def test_a_label_among_the_values_of_a_row(
    tmp_path: Path, array: Array, settings: SignalData
) -> None:
    found = read(npy(tmp_path, array), settings).rows
    assert np.array_equal(found.values, X.astype(np.float32))
    assert np.array_equal(found.labels, LABELS)


def test_arrays_by_their_names(tmp_path: Path) -> None:
    path = npz(tmp_path, beats=X, kinds=Y, other=X3)
    assert np.array_equal(read(path, data(arrays=("beats", "kinds"))).rows.labels, LABELS)
    alone = read(path, data(arrays=("beats",), label="none")).rows
    assert np.array_equal(alone.values, X.astype(np.float32))


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (lambda folder: npy(folder, X), data()),
        (lambda folder: npy(folder, WITH_LABEL), data()),
        (lambda folder: npz(folder, x=X), data()),
        (lambda folder: npz(folder, x=X, y=Y), data()),
        (lambda folder: npz(folder, signals=X), data()),
        (lambda folder: npz(folder, compress=True, x=X, y=Y), data()),
    ],
    ids=["npy", "npy_with_label", "npz", "npz_with_labels", "only_array", "compressed"],
)
def test_a_file_to_score_may_lack_labels(
    tmp_path: Path, make: Callable[[Path], Path], settings: SignalData
) -> None:
    found = score(make(tmp_path), settings)
    assert np.array_equal(found.rows.values, X.astype(np.float32))
    assert set(found.rows.labels.tolist()) == {-1}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("make", [npy, lambda folder, array: npz(folder, x=array)])
def test_a_part_is_read_without_the_rest(
    tmp_path: Path, make: Callable[[Path, Array], Path], order: Any
) -> None:
    found = score(make(tmp_path, np.array(X, order=order)), UNLABELLED, 11, 25).rows
    assert np.array_equal(found.values, X[11:25].astype(np.float32))
    assert found.numbers.tolist() == [*range(12, 26)]


def test_rows_with_a_sample_that_is_no_number_are_rejected(tmp_path: Path) -> None:
    array = X3.copy()
    array[3, 4, 1], array[5, 0, 2], array[7, 11, 0] = np.nan, -np.inf, 1e39
    path = npy(tmp_path, array)
    found = score(path, data(label="none", channels=3))
    assert [row.located() for row in found.rejected] == [
        "row 4, sample 5 of channel 2: 'nan' is a missing value: fill it in or take the row out",
        "row 6, sample 1 of channel 3: '-inf' is not a finite float32: correct it or take the row "
        "out",
        "row 8, sample 12 of channel 1: 'inf' is not a finite float32: correct it or take the row "
        "out",
    ]
    assert len(found.rows) == 27
    assert refusal(path, data(label="none", channels=3)).startswith("a.npy, row 4, sample 5 of")


ARRAYS: dict[str, tuple[Array, SignalData, str]] = {
    "another_length": (
        WITH_LABEL,
        data(length=140),
        "a.npy: each row has 12 samples and a label (last), but data.length=140: "
        "--set data.length=12, or, if it is no label, --set data.label=none --set data.length=13",
    ),
    "another_length_without_label": (
        X,
        data(length=140, label="none"),
        "a.npy: each row has 12 samples, but data.length=140: --set data.length=12",
    ),
    "channels": (
        X3,
        data(length=140, label="none"),
        "a.npy: each row has 12 samples of 3 channels, but data.length=140 and data.channels=1: "
        "--set data.length=12 --set data.channels=3",
    ),
    "channels_first": (
        np.moveaxis(X3, 1, 2),
        data(label="none", channels=3),
        "swap the two dimensions (numpy.moveaxis(x, 1, 2))",
    ),
    "no_label": (X, data(), "the last value of each row is no class (2.06"),
    "no_label_and_another_length": (
        X,
        data(length=140),
        "...): --set data.label=none --set data.length=12",
    ),
    "label_first": (
        np.column_stack([Y, X]),
        data(length=140),
        "is no class (2.06629896736218, 17.575503504650985, 17.76863545199607, ...), but the first "
        "one holds 0, 1 and 2 alone: --set data.label=first --set data.length=12",
    ),
    "label_not_said": (
        WITH_LABEL,
        data(label="none"),
        "each row has 13 values, one more than data.length=12, and the last one holds 0, 1 and 2 "
        "alone: --set data.label=last",
    ),
    "no_such_channel": (
        X3,
        data(label="none", channel=("3",)),
        "data.channel=3: there is no such channel: there are 0, 1, 2: --set data.channel=NAME",
    ),
    "channels_and_label": (X3, data(channels=3), "without room for data.label=last"),
    "label_by_name": (WITH_LABEL, data(label="kind"), "without room for data.label=kind"),
    "objects": (
        np.array([[1], [1, 2]], dtype=object),
        UNLABELLED,
        "a.npy: the array holds Python objects (rows of different lengths, perhaps)",
    ),
    "complex": (X + 1j, UNLABELLED, "complex128 [30, 12], which are not real numbers"),
    "text": (X.astype(str), UNLABELLED, "text [30, 12], which are not real numbers"),
    "times": (X.astype("M8[s]"), UNLABELLED, "datetime64[s] [30, 12], which are not real"),
    "records": (np.zeros(3, dtype=[("a", "f4")]), UNLABELLED, "records [3], which are not"),
    "one_row": (X[0], UNLABELLED, "float64 [12]: give [rows, samples]"),
    "one_value": (np.float64(1), UNLABELLED, "float64 []: give one of shape [rows, samples]"),
    "images": (np.zeros((3, 4, 5, 6)), UNLABELLED, "float64 [3, 4, 5, 6]: give [rows, samples]"),
    "no_rows": (X[:0], UNLABELLED, "a.npy: there are no rows in it: give one or more"),
    "no_samples": (X[:, :0], UNLABELLED, "each row has 0 samples, but data.length=12"),
    "drop": (X, data(drop=("0",)), "cannot be left out by data.drop: save the array without"),
}


@pytest.mark.parametrize(("array", "settings", "expected"), ARRAYS.values(), ids=ARRAYS)
def test_an_array_of_another_kind_is_refused(
    tmp_path: Path, array: Array, settings: SignalData, expected: str
) -> None:
    assert expected in refusal(npy(tmp_path, array), settings)


ARCHIVES: dict[str, tuple[dict[str, Array], dict[str, Any], str]] = {
    "other_names": (
        {"signals": X, "labels": Y},
        {},
        "a.npz: there is no array x in the archive, but signals, labels: "
        "--set data.arrays=signals,labels",
    ),
    "no_labels": (
        {"x": X, "kinds": Y},
        {},
        "no array y in the archive, but x, kinds: --set data.arrays=x,kinds, or, without labels, "
        "--set data.label=none",
    ),
    "nothing_else": ({"x": X}, {}, "--set data.arrays=NAME,NAME, or, without labels,"),
    "other_count": ({"x": X, "y": Y[1:]}, {}, "a.npz, array y: there are 29 labels for 30 rows"),
    "one_hot": ({"x": X, "y": np.eye(3)[Y]}, {}, "array y: the labels are float64 [30, 3]: give"),
    "objects": ({"x": X, "y": Y.astype(object)}, {}, "labels as text (y.astype(str))"),
    "complex_labels": ({"x": X, "y": Y + 1j}, {}, "array y: the labels are complex128 [30]"),
    "length": ({"x": X, "y": Y}, {"length": 9}, "a.npz, array x: each row has 12 samples, but"),
    "three_arrays": ({"x": X}, {"arrays": ("a", "b", "c")}, "data.arrays=a,b,c: expected the"),
}


@pytest.mark.parametrize(("arrays", "settings", "expected"), ARCHIVES.values(), ids=ARCHIVES)
def test_an_archive_that_lacks_something_is_refused(
    tmp_path: Path, arrays: dict[str, Array], settings: dict[str, Any], expected: str
) -> None:
    assert expected in refusal(npz(tmp_path, **arrays), data(**settings))


def _flipped(content: bytes) -> bytes:
    return content[:500] + bytes([content[500] ^ 0xFF]) + content[501:]


NPY = "a.npy: "
DAMAGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "within_a_row": (lambda content: content[:-9], "the file ends after 29 of 30 rows"),
    "within_the_header": (lambda content: content[:40], "header of the NumPy array is damaged"),
    "within_the_magic": (lambda content: content[:7], "header of the NumPy array is damaged"),
    "more": (lambda content: content + b"x", "goes on behind the array, float64 [30, 12]"),
    "gzip": (lambda content: gzip.compress(content)[:-20], "the gzip data is damaged or ends"),
}


@pytest.mark.parametrize(("damage", "expected"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_array_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes], expected: str
) -> None:
    path = npy(tmp_path, X)
    path.write_bytes(damage(path.read_bytes()))
    assert expected in refusal(path, UNLABELLED)


def test_an_array_in_fortran_order_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = npy(tmp_path, np.asfortranarray(X))
    path.write_bytes(path.read_bytes()[:-9])
    assert "a.npy: the file ends early, in its column 12 of 12: copy" in refusal(path, UNLABELLED)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("damage", [lambda content: content[:-200], _flipped])
def test_a_damaged_archive_is_refused(
    tmp_path: Path, compress: bool, damage: Callable[[bytes], bytes]
) -> None:
    path = npz(tmp_path, compress=compress, x=X, y=Y)
    path.write_bytes(damage(path.read_bytes()))
    assert refusal(path, data()).startswith("a.npz: the archive of NumPy arrays (.npz) is damaged")


def test_an_archive_within_gzip_is_refused(tmp_path: Path) -> None:
    path = npz(tmp_path, x=X, y=Y)
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert "(npz) is not read through gzip: unpack it (gunzip)" in refusal(path, data())
