"""Whether a file is the one that the catalog names."""

import dataclasses
from pathlib import Path

import numpy as np

from data.catalog import CsvLayout, SourceFile
from data.spans.digests import file_sha256


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        genuine: Whether the file may be used.
        note: One line that says what differs from the catalog, or None if nothing does.
    """

    genuine: bool
    note: str | None = None


def verify(source: SourceFile, path: Path) -> Verdict:
    """Compares a file with the catalog: its digest, then its layout if it has one."""
    digest = file_sha256(path)
    if digest == source.sha256:
        return Verdict(genuine=True)
    differs = f"{source.path}: SHA-256 is {digest}, expected {source.sha256}"
    if source.layout is None:
        return Verdict(genuine=False, note=differs)
    problem = _layout_problem(source.layout, path)
    if problem:
        return Verdict(genuine=False, note=f"{differs}, and {problem}")
    return Verdict(genuine=True, note=f"{differs}; used, as its shape and class counts are right")


def _layout_problem(layout: CsvLayout, path: Path) -> str | None:
    try:
        table = np.loadtxt(path, delimiter=",", ndmin=2)
    except ValueError:
        return "it is not a table of numbers"
    if table.shape != (layout.rows, layout.columns):
        rows, columns = table.shape
        return f"it is {rows} x {columns}, not {layout.rows} x {layout.columns}"
    values, counts = np.unique(table[:, -1], return_counts=True)
    found = dict(zip(values.tolist(), counts.tolist(), strict=True))
    if found != layout.labels:
        return f"its rows a class are {found}, not {dict(layout.labels)}"
    return None
