"""What the scores of a whole file come to, in memory that does not grow with it."""

import dataclasses
import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from apache_beam.transforms.stats import ApproximateQuantilesCombineFn

from data.formats.rows import Rejected
from pipeline_config import UserInputError

ERROR = "error"
IS_ANOMALY = "is_anomaly"

QUANTILES = {"min": 0, "0.25": 25, "0.5": 50, "0.75": 75, "0.95": 95, "0.99": 99, "max": 100}
"""Name -> percent."""

RANK_ERROR = 0.001
"""A quantile's rank is right to this share of the examples, and `min` and `max` are exact.

All are exact up to about 250,000 examples, which the sketch keeps one by one.
"""

REJECTS_SHOWN = 5

_MAX_EXAMPLES = 10**9
"""`RANK_ERROR` is promised up to this many; the memory grows with its logarithm."""

_QUANTILES = ApproximateQuantilesCombineFn.create(
    num_quantiles=101, epsilon=RANK_ERROR, max_num_elements=_MAX_EXAMPLES, input_batched=True
)


@dataclasses.dataclass(frozen=True)
class Summary:
    """What was found.

    Attributes:
        examples: Rows that were scored.
        anomalies: How many of them the detector calls anomalies; 0 for other models.
        quantiles: Of the errors, by the names in `QUANTILES`; empty if there are none.
        rejected: Rows that could not be scored.
        first_rejects: The first `REJECTS_SHOWN` of them.
    """

    examples: int
    anomalies: int
    quantiles: dict[str, float]
    rejected: int
    first_rejects: Sequence[Rejected]

    def require_examples(self, file: str) -> None:
        """Checks that a row was scored.

        Raises:
            UserInputError: None was; the message says why not the first of them.
        """
        if self.examples:
            return
        if not self.rejected:
            raise UserInputError(f"{file}: there are no rows in it")
        first = self.first_rejects[0]
        raise UserInputError(
            f"{file}: not one of its {self.rejected} rows can be scored; "
            f"row {first.row}: {first.reason}"
        )


class RunningSummary:
    """A summary that grows while rows are scored; it travels between Beam's workers."""

    def __init__(self) -> None:
        self._examples = self._anomalies = self._rejected = 0
        self._first_rejects: list[Rejected] = []
        self._sketch: Any = _QUANTILES.create_accumulator()

    def add(self, outputs: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Adds a model's outputs for some rows, all of them finite."""
        errors = outputs[ERROR].tolist()
        self._examples += len(errors)
        if IS_ANOMALY in outputs:
            self._anomalies += int(np.count_nonzero(outputs[IS_ANOMALY]))
        self._sketch = _QUANTILES.add_input(self._sketch, errors)

    def reject(self, rejected: Rejected) -> None:
        """Adds a row that could not be scored."""
        self._rejected += 1
        self._first_rejects = _first([*self._first_rejects, rejected])

    @classmethod
    def merged(cls, parts: Iterable["RunningSummary"]) -> "RunningSummary":
        """Returns one summary of the rows of several."""
        found, parts = cls(), list(parts)
        found._examples = sum(part._examples for part in parts)
        found._anomalies = sum(part._anomalies for part in parts)
        found._rejected = sum(part._rejected for part in parts)
        found._first_rejects = _first([row for part in parts for row in part._first_rejects])
        found._sketch = _QUANTILES.merge_accumulators([part._sketch for part in parts])
        return found

    def finish(self) -> Summary:
        """Returns what it came to."""
        percentiles = _QUANTILES.extract_output(self._sketch)
        # Fewer examples than percentiles are all returned, once each.
        last = len(percentiles) - 1
        return Summary(
            self._examples,
            self._anomalies,
            {name: percentiles[last * pc // 100] for name, pc in QUANTILES.items() if percentiles},
            self._rejected,
            self._first_rejects,
        )


def _first(rejected: Sequence[Rejected]) -> list[Rejected]:
    """Returns the first few by their place in the file."""
    return heapq.nsmallest(REJECTS_SHOWN, rejected)
