"""Columns of a file's first rows, and what their cells are."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Collection, Iterable, Sequence

BINARY_LABELS = frozenset({0.0, 1.0})
"""Values of a signal's label: abnormal and normal."""

LABEL_NAMES = frozenset({"label", "labels", "target", "class", "y"})
INDEX_NAMES = frozenset({"", "index", "id", "row", "unnamed: 0"})
TIME_NAMES = frozenset({"time", "timestamp", "date", "datetime"})

MISSING_CELLS = frozenset({"", "nan", "na", "n/a", "null", "none"})
"""What programs write for a missing value, in lower case."""

ALMOST_ALL = 0.9
MOST_SHOWN = 10


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a file's first rows.

    Attributes:
        position: Its place in the file, from 0.
        name: Its name in lower case; None if the file does not name its columns.
        cells: At least one, without spaces around them.
    """

    position: int
    name: str | None
    cells: Sequence[str]

    @functools.cached_property
    def values(self) -> list[float | None]:
        """Values of the cells; None for one that is not a number."""
        return [as_number(cell) for cell in self.cells]

    @functools.cached_property
    def numbers(self) -> list[float]:
        """The finite values."""
        return [value for value in self.values if value is not None and math.isfinite(value)]

    @property
    def is_empty(self) -> bool:
        """Whether nearly no cell holds anything."""
        return share(not cell for cell in self.cells) >= ALMOST_ALL

    @property
    def is_text(self) -> bool:
        """Whether nearly every cell holds something that is not a number."""
        cells = zip(self.cells, self.values, strict=True)
        return share(bool(cell) and value is None for cell, value in cells) >= ALMOST_ALL

    @property
    def is_numeric(self) -> bool:
        """Whether nine of ten cells, or all but one of a few, are finite numbers."""
        others = len(self.cells) - len(self.numbers)
        return others <= max(1, (1 - ALMOST_ALL) * len(self.cells))

    def holds_labels(self, labels: Collection[float], spared: int = 0) -> bool:
        """Returns whether nine of ten cells hold one of the labels.

        Args:
            labels: Numbers that a label may be.
            spared: So many other cells are not held against a column of a few rows.
        """
        others = sum(value not in labels for value in self.values)
        rows = len(self.cells)
        return others <= max(spared, int((1 - ALMOST_ALL) * rows)) and others < rows

    @property
    def distinct(self) -> str:
        """The distinct values if they are few, else the first ones, for a message."""
        if None in self.values or len(set(self.values)) > MOST_SHOWN:
            return self.first_cells
        named = [
            f"{value:g}" for value in sorted({value for value in self.values if value is not None})
        ]
        return (
            " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named) + " alone"
        )

    @property
    def first_cells(self) -> str:
        """The first cells, for a message."""
        return ", ".join(self.cells[:3]) + (", ..." if len(self.cells) > 3 else "")


def is_progression(numbers: Sequence[float], tolerance: float = 1e-6) -> bool:
    """Returns whether each number is larger than the one before by the same step.

    Args:
        numbers: In their order.
        tolerance: How much steps may differ, as a share of the first.
    """
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    return bool(steps) and steps[0] > 0 and max(steps) - min(steps) <= tolerance * steps[0]


def as_number(cell: str) -> float | None:
    """Returns the cell's value, or None if it is not a number."""
    try:
        # float() takes underscores between digits.
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def shown(cell: str) -> str:
    """Returns a cell as a message quotes it."""
    return repr(cell if len(cell) <= 40 else f"{cell[:37]}...")


def share(found: Iterable[bool]) -> float:
    """Returns which share of the values is true; 0 without any."""
    values = list(found)
    return sum(values) / len(values) if values else 0.0
