"""Whether a CSV's first line names its columns, and which names mean something."""

import itertools
from collections.abc import Sequence

from data.formats.row_faults import as_number

LABEL_NAMES = frozenset({"label", "labels", "target", "class", "y"})
INDEX_NAMES = frozenset({"", "index", "id", "row", "unnamed: 0"})
TIME_NAMES = frozenset({"time", "timestamp", "date", "datetime"})

_FEWEST_NUMBERS = 3


def is_header(cells: Sequence[str]) -> bool:
    """Returns whether a file's first line names columns rather than holds values.

    Names are no numbers, or numbers that count the columns: `0,1,2` (pandas names columns without
    a name so), `1,2,3`, or steps of time such as `0.0,0.5,1.0,label`, with names before or behind
    them: `,0,1,2`, `id,1,2,3,label`.

    >>> is_header(["", "0", "1", "2"]), is_header(["0.5", "1.5", "-2", "1"])
    (True, False)
    """
    numbers = [as_number(cell) for cell in cells]
    if all(number is None for number in numbers):
        return any(cell.strip() for cell in cells)
    first = next(place for place, number in enumerate(numbers) if number is not None)
    counted = [number for number in numbers if number is not None]
    if numbers[first : first + len(counted)] != counted:
        return False
    if all(cell.strip().isdigit() for cell in cells[first : first + len(counted)]):
        start = counted[0]
        counts = counted == [start + step for step in range(len(counted))]
        return counts and (start == 0 or (start == 1 and len(counted) >= _FEWEST_NUMBERS))
    names = {cell.strip().lower() for cell in cells}
    named = bool(names & (LABEL_NAMES | INDEX_NAMES | TIME_NAMES))
    return named and len(counted) >= _FEWEST_NUMBERS and is_progression(counted, 0.05)


def is_progression(numbers: Sequence[float], tolerance: float = 1e-6) -> bool:
    """Returns whether each number is larger than the one before by the same step.

    Args:
        numbers: In their order.
        tolerance: How much steps may differ, as a share of the first.
    """
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    return bool(steps) and steps[0] > 0 and max(steps) - min(steps) <= tolerance * steps[0]


def label_column(names: Sequence[str]) -> int | None:
    """Returns the place, from 0, of the one column whose name is that of a label."""
    found = [place for place, name in enumerate(names) if name.strip().lower() in LABEL_NAMES]
    return found[0] if len(found) == 1 else None
