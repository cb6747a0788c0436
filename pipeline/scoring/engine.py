"""Blocks of a file's rows through the model: the same code in this process and on Beam's workers.

In this process it does not run as a pipeline on Beam's in-process runner: that holds all records
between two stages in memory, so a large file would not fit.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.scorer import ModelLoadError, SavedModel
from data.formats.csv_rows import values_as_text
from data.formats.rows import Block, Rejected, Rows, batched
from pipeline.scoring.summary import ERROR, IS_ANOMALY, Summary
from pipeline_config import UserInputError

Outputs = Mapping[str, npt.NDArray[np.generic]]
"""By output's name: [n, ...]; float32, but bool for `is_anomaly`."""

_SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY

_TOO_LARGE = "the model's error is not a finite number: the values are too large for it"


class ServedModel:
    """A pushed version, called as a server calls it.

    Attributes:
        shape: Shape of one example, as the signature takes it.
        is_detector: Whether it decides with a threshold.

    Args:
        directory: The version's folder.

    Raises:
        UserInputError: There is no SavedModel, or none of the autoencoders' signature.
    """

    def __init__(self, directory: str) -> None:
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

    def score(self, values: npt.NDArray[np.float32]) -> Outputs:
        """Returns the signature's outputs.

        Args:
            values: float32 [n, *shape].
        """
        outputs = self._model(**{self._input: tf.constant(values)})
        return {name: output.numpy() for name, output in outputs.items()}


def score_blocks(
    blocks: Iterable[Block],
    model: ServedModel,
    batch_size: int,
    write: Callable[[Rows, Outputs], None],
    reject: Callable[[Rejected], None],
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
        Rejected(int(number), _TOO_LARGE, values_as_text(values))
        for number, values in zip(bad.numbers, bad.values, strict=True)
    ]
    return rows[finite], {name: out[finite] for name, out in outputs.items()}, rejected
