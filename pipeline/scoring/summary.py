"""What the scores of a whole file come to, in memory that does not grow with it."""

import dataclasses
import heapq
from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.transforms.stats import ApproximateQuantilesCombineFn

from data.formats.rows import Rejected
from pipeline.scoring.served_model import ERROR, IS_ANOMALY, Outputs

QUANTILES = {"min": 0, "0.25": 25, "0.5": 50, "0.75": 75, "0.95": 95, "0.99": 99, "max": 100}
"""Name -> percent."""

RANK_ERROR = 0.001
"""A quantile's rank is right to this share of the examples, and `min` and `max` are exact.

All are exact up to about 250,000 examples, which the sketch keeps one by one.
"""

_MAX_EXAMPLES = 10**9
"""`RANK_ERROR` is promised up to this many; the memory grows with its logarithm."""

REJECTS_SHOWN = 5


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
    first_rejects: list[Rejected]


@dataclasses.dataclass
class _Seen:
    examples: int
    anomalies: int
    sketch: Any


class SummaryFn(beam.CombineFn):
    """Outputs of the model and rejected rows -> a `Summary`'s parts.

    Beam's workers run it as it is; in this process it is called directly.
    """

    def __init__(self) -> None:
        self._quantiles = ApproximateQuantilesCombineFn.create(
            num_quantiles=101,
            epsilon=RANK_ERROR,
            max_num_elements=_MAX_EXAMPLES,
            input_batched=True,
        )

    def create_accumulator(self) -> _Seen:
        """Returns what no scores come to."""
        return _Seen(0, 0, self._quantiles.create_accumulator())

    def add_input(self, seen: _Seen, outputs: Outputs) -> _Seen:
        """Adds a batch of outputs, all of them finite."""
        errors = outputs[ERROR].tolist()
        seen.examples += len(errors)
        if IS_ANOMALY in outputs:
            seen.anomalies += int(np.count_nonzero(outputs[IS_ANOMALY]))
        seen.sketch = self._quantiles.add_input(seen.sketch, errors)
        return seen

    def merge_accumulators(self, parts: Iterable[_Seen]) -> _Seen:
        """Joins what several workers have seen."""
        seen = list(parts)
        return _Seen(
            sum(part.examples for part in seen),
            sum(part.anomalies for part in seen),
            self._quantiles.merge_accumulators([part.sketch for part in seen]),
        )

    def extract_output(self, seen: _Seen) -> Summary:
        """Returns the summary, without rejected rows."""
        percentiles = self._quantiles.extract_output(seen.sketch)
        found = {}
        if percentiles:
            # Fewer examples than percentiles are all returned, once each.
            last = len(percentiles) - 1
            found = {name: percentiles[last * pc // 100] for name, pc in QUANTILES.items()}
        return Summary(seen.examples, seen.anomalies, found, 0, [])


class RunningSummary:
    """A summary that grows while rows are scored in this process."""

    def __init__(self) -> None:
        self._combine = SummaryFn()
        self._seen = self._combine.create_accumulator()
        self._rejected = 0
        self._first: list[Rejected] = []

    def add(self, outputs: Outputs) -> None:
        """Adds a batch of outputs, all of them finite."""
        self._seen = self._combine.add_input(self._seen, outputs)

    def reject(self, rejected: Rejected) -> None:
        """Adds a row that could not be scored."""
        self._rejected += 1
        self._first = first_rejects([*self._first, rejected])

    def finish(self) -> Summary:
        """Returns what it came to."""
        found = self._combine.extract_output(self._seen)
        return dataclasses.replace(found, rejected=self._rejected, first_rejects=self._first)


def first_rejects(rejected: Sequence[Rejected]) -> list[Rejected]:
    """Returns the first few by their place in the file."""
    return heapq.nsmallest(REJECTS_SHOWN, rejected)
