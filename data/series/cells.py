"""Cells of a series' columns -> samples, whatever the format of the file."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data.formats.columns import MISSING_CELLS, as_number, shown
from data.formats.labels import class_names
from data.formats.rows import Rejected
from data.series.columns import SeriesColumns
from data.series.samples import Reject, Samples
from data.series.times import parse_times, unreadable_times
from pipeline_config import UserInputError


def to_samples(
    path: str,
    columns: SeriesColumns,
    start: int,
    rows: npt.NDArray[np.int64],
    values: npt.NDArray[Any],
    times: npt.NDArray[Any] | Sequence[Any] | None,
    labels: npt.NDArray[Any] | Sequence[Any] | None,
    *,
    broken: npt.NDArray[np.bool_] | None = None,
    reject: Reject | None = None,
) -> Samples:
    """Returns samples of cells that are read.

    Args:
        path: The file.
        columns: What its columns are.
        start: How many samples come before.
        rows: int64 [n]; where they are in the file.
        values: Numbers, [n, channels]; NaN if one is missing.
        times: [n] or None.
        labels: [n] or None.
        broken: bool [n]; rows that were found not to be readable, or None.
        reject: Is called with each row that cannot be read, which is `broken` then; None to raise.

    Raises:
        UserInputError: A value is no finite float32, or a time cannot be read.
    """
    with np.errstate(over="ignore"):
        samples = values.astype(np.float32)
    too_large = np.isinf(samples)
    faults: dict[int, str] = {}
    for at, channel in np.argwhere(too_large)[::-1].tolist():
        name, value = columns.names[channel], values[at, channel]
        faults[at] = f"{name}: '{value}' is not a finite float32"
    if faults and reject is None:
        at = min(faults)
        raise UserInputError(
            f"{path}, row {rows[at]}, {faults[at]}: correct it, or leave the cell empty with "
            "--set data.missing=interpolate"
        )
    numbers, stamps = None, None
    if times is not None:
        stamps = np.asarray(times)
        if reject is not None:
            assert columns.time is not None, "there are times"
            known = np.ones(len(rows), np.bool_) if broken is None else ~broken
            for at in np.flatnonzero(unreadable_times(stamps) & known).tolist():
                cell = shown(str(stamps[at]))
                faults[at] = f"column {columns.time + 1}: {cell} is not a time"
            known[list(faults)] = False
            numbers = np.zeros(len(rows), np.int64)
            if known.any():
                of_known = _as_times(path, columns, rows[known], stamps[known])
                numbers = numbers.astype(of_known.dtype)
                numbers[known] = of_known
        else:
            numbers = _as_times(path, columns, rows, stamps)
    if faults and reject is not None:
        broken = np.zeros(len(rows), np.bool_) if broken is None else broken.copy()
        for at in sorted(faults):
            broken[at] = True
            reject(Rejected(int(rows[at]), faults[at], ""))
        samples[broken] = np.nan
    classes = None if labels is None else class_names(np.asarray(labels))
    return Samples(
        path,
        columns.names,
        start,
        rows,
        samples,
        times=numbers,
        stamps=stamps,
        without_times=columns.without_times,
        classes=classes,
        broken=broken,
    )


def parse_number(cell: str) -> float:
    """Returns a channel's value, NaN if it is missing.

    Raises:
        ValueError: It is no number; the message is the end of a sentence.
    """
    if cell.strip().lower() in MISSING_CELLS:
        return float("nan")
    value = as_number(cell)
    if value is None:
        raise ValueError(
            f"{shown(cell)} is not a number: correct it, or leave the cell empty with "
            "--set data.missing=interpolate"
        )
    return value


def _as_times(
    path: str, columns: SeriesColumns, rows: npt.NDArray[np.int64], stamps: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    if stamps.dtype.kind == "M":
        if not np.isnat(stamps).any():
            return stamps.astype("datetime64[ns]").astype(np.int64)
    elif stamps.dtype.kind in "iu":
        return stamps.astype(np.int64)
    elif stamps.dtype.kind == "f":
        if np.isfinite(stamps).all():
            return stamps
    else:
        try:
            return parse_times(stamps.tolist())
        except ValueError:
            pass
    at = _first_wrong(stamps)
    assert columns.time is not None, "there are times"
    raise UserInputError(
        f"{path}, row {rows[at]}, column {columns.time + 1}: {shown(str(stamps[at]))} is not a "
        "time as the others are: write numbers alone, or ISO times alone such as "
        "2026-01-31T12:00:00, or "
        f"{columns.without_times} to count samples alone"
    )


def _first_wrong(stamps: npt.NDArray[Any]) -> int:
    """Returns the place of the first time that cannot be read, or that is of another kind."""
    if stamps.dtype.kind in "Mf":
        return int(np.flatnonzero(~np.isfinite(stamps))[0])
    cells = stamps.tolist()
    is_number = [as_number(cell) is not None for cell in cells]
    for at, cell in enumerate(cells):
        try:
            parse_times([cell])
        except ValueError:
            return at
        if is_number[at] != is_number[0]:
            return at
    return 0
