"""Columns of Arrow as NumPy arrays: numbers, lists of them, and labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from data.formats.rows import Rejected
from data.formats.samples import as_float32

_NONE = "is missing: fill it in or take the row out"


def samples_of(
    columns: Sequence[pa.Array],
    depth: int,
    shape: tuple[int, ...],
    numbers: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], list[Rejected]]:
    """Returns the samples of rows, without the rows that have too few or too many.

    Args:
        columns: See `parquet_columns.Columns`, as is `depth`.
        depth: Lists within lists.
        shape: Shape of one example.
        numbers: Of the rows in their file, [n].

    Returns:
        float32 [m, *shape], NaN for a missing sample; bool [n], which rows these are; and why the
        others are rejected.
    """
    count = len(numbers)
    if depth == 0:
        values = np.empty((count, len(columns)), np.float32)
        for place, column in enumerate(columns):
            values[:, place] = as_float32(numbers_of(column))
        return values, np.ones(count, np.bool_), []
    lengths = [_lengths(column) for column in columns]
    wrong = np.stack([found != shape[0] for found in lengths])
    fits = np.asarray(~wrong.any(axis=0))
    within = shape[1] if depth == 2 else 0
    if within:
        of_samples = _lengths(columns[0].flatten())
        owners = np.repeat(np.arange(count), np.maximum(lengths[0], 0))
        uneven = np.unique(owners[of_samples != within])
        fits[uneven] = False
    rejected = []
    for row in np.flatnonzero(~fits):
        text = str([column[int(row)].as_py() for column in columns])
        reason = f"not {within} channels in each sample: correct it or take the row out"
        if wrong[:, row].any():
            place = int(wrong[:, row].argmax())
            reason = _length_fault(int(lengths[place][row]), shape[0])
        rejected.append(Rejected(int(numbers[row]), reason, text))
    keep = pa.array(fits)
    parts = [_flat(column.filter(keep), depth) for column in columns]
    whole = [part.reshape(-1, *(shape if depth == 2 else shape[:1])) for part in parts]
    values = whole[0] if len(shape) == 1 or depth == 2 else np.stack(whole, axis=-1)
    return values.reshape(-1, *shape), fits, rejected


def numbers_of(column: pa.Array) -> npt.NDArray[Any]:
    """Returns numbers, with NaN for each that is missing."""
    if kinds.is_boolean(column.type):
        column = column.cast(pa.int8())
    elif kinds.is_decimal(column.type):
        column = column.cast(pa.float64())
    return column.to_numpy(zero_copy_only=False)


def label_cells(column: pa.Array) -> npt.NDArray[Any]:
    """Returns labels as numbers or text; NaN or an empty text if one is missing."""
    if kinds.is_dictionary(column.type):
        column = column.dictionary_decode()
    if kinds.is_null(column.type):
        return np.full(len(column), "")
    if kinds.is_string(column.type) or kinds.is_large_string(column.type):
        return np.array(pc.fill_null(column, "").to_pylist(), dtype=np.str_)
    return numbers_of(column)


def _lengths(lists: pa.Array) -> npt.NDArray[np.int64]:
    """Returns how long each list is, -1 if it is missing."""
    lengths = pc.fill_null(pc.list_value_length(lists).cast(pa.int64()), -1)
    # A list of fixed size has its length even if it is missing.
    is_missing = lists.is_null().to_numpy(zero_copy_only=False)
    return np.where(is_missing, -1, lengths.to_numpy(zero_copy_only=False))


def _flat(lists: pa.Array, depth: int) -> npt.NDArray[np.float32]:
    for _ in range(depth):
        lists = lists.flatten()
    return as_float32(numbers_of(lists))


def _length_fault(found: int, expected: int) -> str:
    if found < 0:
        return f"the list of samples {_NONE}"
    return (
        f"{found} samples, expected {expected}: "
        f"{'complete' if found < expected else 'shorten'} the row or take it out"
    )
