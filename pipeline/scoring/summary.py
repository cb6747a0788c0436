"""What the scores of a whole file come to, in memory that does not grow with it."""

import dataclasses
import heapq
from collections.abc import Iterable, Mapping
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


@dataclasses.dataclass
class Summary:
    """A summary that grows while rows are scored; it travels between Beam's workers.

    Attributes:
        examples: Rows that were scored.
        anomalies: How many of them the detector calls anomalies; 0 for other models.
        rejected: Rows that could not be scored.
        first_rejects: The first `REJECTS_SHOWN` of them.
        sketch: Beam's, of the errors.
    """

    examples: int = 0
    anomalies: int = 0
    rejected: int = 0
    first_rejects: list[Rejected] = dataclasses.field(default_factory=list)
    sketch: Any = dataclasses.field(default_factory=_QUANTILES.create_accumulator, compare=False)

    def add(self, outputs: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Adds a model's outputs for some rows, all of them finite."""
        errors = outputs[ERROR].tolist()
        self.examples += len(errors)
        if IS_ANOMALY in outputs:
            self.anomalies += int(np.count_nonzero(outputs[IS_ANOMALY]))
        self.sketch = _QUANTILES.add_input(self.sketch, errors)

    def reject(self, rejected: Rejected) -> None:
        """Adds a row that could not be scored."""
        self.rejected += 1
        self.first_rejects = heapq.nsmallest(REJECTS_SHOWN, [*self.first_rejects, rejected])

    @classmethod
    def merged(cls, parts: Iterable["Summary"]) -> "Summary":
        """Returns one summary of the rows of several."""
        parts = list(parts)
        return cls(
            sum(part.examples for part in parts),
            sum(part.anomalies for part in parts),
            sum(part.rejected for part in parts),
            heapq.nsmallest(REJECTS_SHOWN, [row for part in parts for row in part.first_rejects]),
            _QUANTILES.merge_accumulators([part.sketch for part in parts]),
        )

    @property
    def quantiles(self) -> dict[str, float]:
        """Of the errors, by the names in `QUANTILES`; empty if there are none."""
        percentiles = _QUANTILES.extract_output(self.sketch)
        # Fewer examples than percentiles are all returned, once each.
        last = len(percentiles) - 1
        return {
            name: percentiles[last * pc // 100] for name, pc in QUANTILES.items() if percentiles
        }

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
