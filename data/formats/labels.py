"""From what a file says of a row to its class's name, and from there to normal or abnormal."""

import dataclasses
import math
import shlex
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from data.formats.columns import MISSING_CELLS
from pipeline_config import ABNORMAL_LABEL, NORMAL_LABEL, UNLABELLED, ImageData, SignalData

_NO_CLASS = MISSING_CELLS | {"?"}
"""What programs write for a missing label, in lower case."""

_MOST_LISTED = 10


def class_name(cell: str | float) -> str:
    """Returns the name of a class, the same however the file writes its number.

    >>> class_name("1.0000000e+00"), class_name(" V "), class_name("NaN"), class_name(2.0)
    ('1', 'V', '', '2')

    Returns:
        Empty if the cell holds no label.
    """
    text = cell.strip() if isinstance(cell, str) else repr(float(cell))
    if text.lower() in _NO_CLASS:
        return ""
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number) or "_" in text:
        return text
    return str(int(number)) if number.is_integer() else repr(number)


def is_class(cell: str) -> bool:
    """Returns whether a cell may hold a label: text, a whole number, or nothing.

    >>> is_class("V"), is_class("2.0"), is_class(""), is_class("0.53")
    (True, True, True, False)
    """
    name = class_name(cell)
    try:
        return float(name).is_integer() if name and "_" not in name else True
    except ValueError:
        return True


def class_names(cells: npt.NDArray[np.generic]) -> npt.NDArray[np.str_]:
    """Returns the name of each cell's class, str [n]."""
    found, places = np.unique(cells, return_inverse=True)
    return np.array([class_name(value) for value in found.tolist()], dtype=np.str_)[places]


@dataclasses.dataclass(frozen=True)
class LabelRule:
    """Which classes are normal.

    Attributes:
        normal: Their names, as `class_name` writes them.
    """

    normal: frozenset[str]

    @classmethod
    def from_data(cls, data: SignalData | ImageData) -> "LabelRule":
        """Returns the rule that a pipeline's settings give."""
        return cls.of(data.normal)

    @classmethod
    def of(cls, normal: Sequence[str]) -> "LabelRule":
        """Returns the rule by which classes of these names are normal."""
        return cls(frozenset(map(class_name, normal)))

    def labels_of(self, classes: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
        """Returns int64 [n]: `NORMAL_LABEL`, `ABNORMAL_LABEL`, or `UNLABELLED` without a name."""
        found, places = np.unique(classes, return_inverse=True)
        labels = [
            UNLABELLED if not name else NORMAL_LABEL if name in self.normal else ABNORMAL_LABEL
            for name in found.tolist()
        ]
        return np.array(labels, np.int64)[places]


def list_classes(counts: Mapping[str, int]) -> str:
    """Returns names of classes for a message, such as "0..4", "1 and 2" or "N, V and 7 more".

    >>> list_classes({"1": 9, "0": 3, "2": 4}), list_classes({"V": 1, "N": 4})
    ('0..2', 'N and V')
    """
    names = _sorted(counts)
    if len(names) > 2 and all(name.isdecimal() for name in names):
        numbers = [int(name) for name in names]
        if numbers[-1] - numbers[0] == len(numbers) - 1:
            return f"{names[0]}..{names[-1]}"
    if len(names) > _MOST_LISTED:
        names = [*names[: _MOST_LISTED - 1], f"{len(names) - _MOST_LISTED + 1} more"]
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])


def suggest_normal(counts: Mapping[str, int], normal: Sequence[str]) -> str | None:
    """Returns the class that `data.normal` should probably name, None if it seems right.

    Args:
        counts: Rows of each class, without unlabelled rows.
        normal: Value of `data.normal`.

    Returns:
        "0" if the labels look like the opposite convention: whole numbers, of which most are 0;
        otherwise the most frequent class if none of `normal` is among them.
    """
    rule, total = LabelRule.of(normal), sum(counts.values())
    zeros = counts.get("0", 0)
    if "0" not in rule.normal and 2 * zeros > total and all(map(str.isdecimal, counts)):
        return "0"
    if not total or rule.normal & counts.keys():
        return None
    return max(_sorted(counts), key=lambda name: counts[name])


def convention_notice(counts: Mapping[str, int], normal: Sequence[str]) -> str | None:
    """Returns a sentence if the labels may be the wrong way round; it ends with the setting.

    Args:
        counts: Rows of each class, without unlabelled rows.
        normal: Value of `data.normal`.

    Returns:
        None if the rows of normal classes are no minority.
    """
    rule, total = LabelRule.of(normal), sum(counts.values())
    found = sum(rows for name, rows in counts.items() if name in rule.normal)
    if 2 * found >= total:
        return None
    suggested = suggest_normal(counts, normal) or max(_sorted(counts), key=lambda n: counts[n])
    return (
        f"only {found:,} of {total:,} labelled rows are normal (class {', '.join(normal)}), "
        f"{_counted(counts)}: the model learns what normal rows look like and takes all else for "
        f"an anomaly; if class {suggested} is the normal one: {normal_setting(suggested)}"
    )


def no_normal_fault(counts: Mapping[str, int], normal: Sequence[str]) -> str | None:
    """Returns a sentence if no row is of a normal class; it ends with the setting.

    Args:
        counts: Rows of each class, without unlabelled rows.
        normal: Value of `data.normal`.
    """
    if not counts or LabelRule.of(normal).normal & counts.keys():
        return None
    suggested = suggest_normal(counts, normal) or ""
    return (
        f"no row is of a normal class (data.normal={','.join(normal)}); the classes are "
        f"{_counted(counts)}: {normal_setting(suggested)}"
    )


def normal_setting(name: str) -> str:
    """Returns `data.normal` as it is written on the command line.

    >>> normal_setting("N")
    '--set data.normal=N'
    """
    return f"--set {shlex.quote(f'data.normal={name}')}"


def _counted(counts: Mapping[str, int]) -> str:
    names = sorted(_sorted(counts), key=lambda name: -counts[name])
    listed = [
        f"{name} ({counts[name]:,} row{'s' if counts[name] > 1 else ''})"
        for name in names[:_MOST_LISTED]
    ]
    more = len(names) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more else "")


def _sorted(counts: Mapping[str, int]) -> list[str]:
    numeric = all(name.lstrip("-").isdecimal() for name in counts)
    return sorted(counts, key=lambda name: (int(name) if numeric else 0, name))
