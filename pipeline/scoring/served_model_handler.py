"""A pushed version for Beam's RunInference."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from apache_beam.ml.inference.base import ModelHandler, PredictionResult

from pipeline.scoring.served_model import ServedModel


class ServedModelHandler(ModelHandler[npt.NDArray[np.float32], PredictionResult, ServedModel]):
    """Loads a version once a worker and calls it with whole batches.

    Args:
        directory: The version's folder, where every worker finds it.
        batch_size: Examples a call; fewer at the end of a bundle.
    """

    def __init__(self, directory: str, batch_size: int) -> None:
        super().__init__(min_batch_size=batch_size, max_batch_size=batch_size)
        self._directory = directory

    def load_model(self) -> ServedModel:
        """Loads the SavedModel."""
        return ServedModel(self._directory)

    def run_inference(
        self,
        batch: Sequence[npt.NDArray[np.float32]],
        model: ServedModel,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterator[PredictionResult]:
        """Yields each example's outputs, without the batch dimension."""
        outputs = model.score(np.stack(batch))
        for index, example in enumerate(batch):
            yield PredictionResult(example, {name: out[index] for name, out in outputs.items()})

    def get_num_bytes(self, batch: Sequence[npt.NDArray[np.float32]]) -> int:
        """Returns the bytes of the examples' values."""
        return sum(example.nbytes for example in batch)
