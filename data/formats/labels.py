"""From what a file says of a row to its class's name, and from there to normal or abnormal."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline_config import ABNORMAL_LABEL, NORMAL_LABEL, UNLABELLED, SignalData

_NO_CLASS = frozenset({"", "nan", "na", "n/a", "null", "none"})
"""What programs write for a missing label, in lower case."""


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
    def from_data(cls, data: SignalData) -> "LabelRule":
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
