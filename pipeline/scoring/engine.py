"""Scores blocks of a file's rows and sums them up, in this process or on Beam's workers.

In this process it does not run as a pipeline on Beam's in-process runner: that holds all records
between two stages in memory, so a large file would not fit.
"""

import dataclasses
import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from apache_beam.transforms.stats import ApproximateQuantilesCombineFn

from components.scorer import ModelLoadError, SavedModel
from data.formats.csv_rows import values_as_text
from data.formats.rows import Block, Rejected, Rows, batched
from pipeline_config import ImageData, SignalData, UserInputError, data_from_reading
from serving.push_directory.manifest import MANIFEST_FILE, READING_KEY, read_manifest

ERROR = "error"
IS_ANOMALY = "is_anomaly"
P_VALUE = "p_value"
CONTRIBUTION = "contribution"

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

Outputs = Mapping[str, npt.NDArray[np.generic]]
"""By output's name: [n, ...]; float32, but bool for `is_anomaly`."""

WriteScores = Callable[[Rows, Outputs], None]

WriteReject = Callable[[Rejected], None]

_SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY

NOT_FINITE = "the model's error is not a finite number: the values are too large for it"


class ServedModel:
    """A pushed version, called as a server calls it.

    Attributes:
        directory: The version's folder.
        shape: Shape of one example, as the signature takes it.
        is_detector: Whether it decides with a threshold.
        has_p_value: Whether it returns a p-value; a detector of before did not.
        reading: How the run that pushed it read its files; None if the version does not say so.

    Raises:
        UserInputError: There is no SavedModel, or none of the autoencoders' signature; or what
            `aepipe.json` says of the reading is damaged.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        try:
            self._model = SavedModel(directory, _SIGNATURE)
            if ERROR not in self._model.outputs:
                raise ModelLoadError(f"its signature '{_SIGNATURE}' returns no '{ERROR}'")
        except ModelLoadError as error:
            raise UserInputError(
                f"{directory}: no model can be loaded: {error}: "
                "name an autoencoder that aepipe pushed"
            ) from error
        ((self._input, spec),) = self._model.inputs.items()
        self.shape = tuple(spec.shape[1:])
        self.is_detector = IS_ANOMALY in self._model.outputs
        self.has_p_value = P_VALUE in self._model.outputs
        self.reading = read_reading(Path(directory))

    @property
    def data(self) -> SignalData | ImageData:
        """How a file to score is read: as the run's own were, or by the defaults for its shape."""
        if self.reading is not None and self.reading.shape == self.shape:
            return self.reading
        first, second = (*self.shape, 1)[:2]
        if self._input == ImageData.feature:
            return ImageData(height=first, width=second)
        return SignalData(length=first, channels=second)

    def require_contribution(self) -> None:
        """Checks that the model returns the contribution of each value.

        Raises:
            UserInputError: It does not.
        """
        if CONTRIBUTION in self._model.outputs:
            return
        reason = "only a detector returns it"
        if self.is_detector:
            reason = "it was pushed before models returned it: push it anew, as aepipe run does"
        raise UserInputError(
            f"--contribution: {self.directory}: the model does not return by how much each value "
            f"contributes: {reason}, or take --contribution away"
        )

    def p_values(self, error: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Returns the p-values that the model returns for errors; float32 [n] of float32 [n]."""
        normal: npt.NDArray[np.float32] = self._model.model.normal_errors.numpy()
        smaller = np.searchsorted(normal, error, side="left")
        return ((1 + len(normal) - smaller) / (len(normal) + 1)).astype(np.float32)

    def score(self, values: npt.NDArray[np.float32]) -> Outputs:
        """Returns the signature's outputs.

        Args:
            values: float32 [n, *shape].
        """
        outputs = self._model(**{self._input: tf.constant(values)})
        return {name: output.numpy() for name, output in outputs.items()}


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

    def add(self, outputs: Outputs) -> None:
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

    def as_dict(self, is_detector: bool) -> dict[str, Any]:
        """Returns counts and quantiles as plain JSON values."""
        found: dict[str, Any] = {"examples": self.examples}
        if is_detector:
            found["anomalies"] = self.anomalies
            found["anomaly_share"] = self.anomalies / self.examples
        return found | {"error_quantiles": self.quantiles, "quantile_rank_error": RANK_ERROR}

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


def score_blocks(
    blocks: Iterable[Block],
    model: ServedModel,
    batch_size: int,
    write: WriteScores,
    reject: WriteReject,
) -> Summary:
    """Scores rows in the order of the file, in memory that does not grow with it.

    Args:
        blocks: The rows of a file, or of a range of one.
        model: The version that scores.
        batch_size: Rows a call of the model; fewer at the end.
        write: Is called for each batch with its rows and the model's outputs, in the same order.
        reject: Is called for each row that cannot be scored.

    Returns:
        A summary of what was written and rejected.
    """
    summary = Summary()

    def count_and_reject(rejected: Iterable[Rejected]) -> None:
        for row in rejected:
            summary.reject(row)
            reject(row)

    def accepted() -> Iterator[Rows]:
        for block in blocks:
            count_and_reject(block.rejected)
            yield block.rows

    for batch in batched(accepted(), batch_size):
        rows, outputs, rejected = _scorable(batch, model.score(batch.values))
        count_and_reject(rejected)
        summary.add(outputs)
        write(rows, outputs)
    return summary


def read_reading(directory: Path) -> SignalData | ImageData | None:
    """Returns how the run that pushed a version read its files; None if it does not say so.

    Raises:
        UserInputError: What `aepipe.json` says of it is damaged.
    """
    reading = read_manifest(directory).get(READING_KEY)
    if reading is None:
        return None
    try:
        return data_from_reading(json.dumps(reading))
    except (UserInputError, AttributeError, TypeError) as error:
        raise UserInputError(
            f"{directory / MANIFEST_FILE}: {READING_KEY} is damaged: {error}: push the model anew"
        ) from error


def _scorable(rows: Rows, outputs: Outputs) -> tuple[Rows, Outputs, list[Rejected]]:
    """Takes out the rows whose error is no finite number.

    Values near float32's limit overflow within a model, and an error that is not a number is
    above no threshold: such a row would pass as normal.
    """
    finite = np.isfinite(outputs[ERROR])
    if finite.all():
        return rows, outputs, []
    bad = rows[~finite]
    rejected = [
        Rejected(int(number), NOT_FINITE, values_as_text(values))
        for number, values in zip(bad.numbers, bad.values, strict=True)
    ]
    return rows[finite], {name: out[finite] for name, out in outputs.items()}, rejected
