"""What is wrong with a CSV row, and where: the words for rows that did not parse."""

import csv
import math
from collections.abc import Sequence

import numpy as np


def as_number(cell: str) -> float | None:
    """Returns the cell's value, or None where it is not a number."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def split_cells(line: str) -> list[str]:
    """Returns the cells of one CSV line, without quotes."""
    return next(csv.reader([line]), [])


def first_fault(lines: Sequence[str], first_line: int, length: int) -> str | None:
    """Says where the first wrong row is and what to do about it.

    Only looked for in a block that failed to parse, so it may take a row at a time.

    Args:
        lines: Rows of samples and a label; blank ones are skipped.
        first_line: Number of the first of them in the file, from 1.
        length: Expected samples a row.

    Returns:
        For example "row 3, column 7: ...", or None if every row is right.
    """
    for row, line in enumerate(lines, start=first_line):
        if not line:
            continue
        cells = split_cells(line)
        if len(cells) != length + 1:
            return f"row {row}: {_count_fault(len(cells), length)}"
        for column, cell in enumerate(cells, start=1):
            fault = cell_fault(cell) if column <= length else _label_fault(cell)
            if fault:
                return f"row {row}, column {column}: {fault}"
    return None


def _count_fault(count: int, length: int) -> str:
    noun = "value" if count == 1 else "values"
    return (
        f"{count} {noun}, expected {length + 1} ({length} samples and a label): "
        f"{'complete' if count <= length else 'shorten'} the row or take it out"
    )


def cell_fault(cell: str) -> str | None:
    """Says what is wrong with a sample's text, or returns None where it is a finite float32."""
    if not cell.strip():
        return "the cell is empty: fill it in or take the row out"
    value = as_number(cell)
    if value is None:
        return f"{shown(cell)} is not a number: correct it or take the row out"
    if math.isnan(value):
        return f"{shown(cell)} is a missing value: fill it in or take the row out"
    with np.errstate(over="ignore"):
        finite = bool(np.isfinite(np.float32(value)))
    if not finite:
        return f"{shown(cell)} is not a finite float32: correct it or take the row out"
    return None


def _label_fault(cell: str) -> str | None:
    if as_number(cell) in (0.0, 1.0):
        return None
    return f"the label is {shown(cell)}: it must be 1 (normal) or 0 (abnormal)"


def shown(cell: str) -> str:
    """Returns a cell as a message quotes it."""
    return repr(cell if len(cell) <= 40 else f"{cell[:37]}...")
