"""How long two served models take for the same requests, in one process and by turns."""

import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.scorer import SavedModel
from trainer.export import SERVING_DEFAULT

BATCHES = (1, 64)
CALLS = 300
WARM_UP = 30


def time_ratios(model: Path, baseline: Path, values: np.ndarray) -> dict[int, float]:
    """Returns the first model's median time divided by the second's, for each size of a batch.

    Args:
        model: Folder of a SavedModel.
        baseline: Folder of another with the same input.
        values: float32 [n, length], what they are asked about.
    """
    models = [SavedModel(str(folder), SERVING_DEFAULT) for folder in (model, baseline)]
    ratios = {}
    for size in BATCHES:
        given = tf.constant(np.resize(values, (size, *values.shape[1:])))
        seconds = np.array([[_seconds(one, given) for one in models] for _ in range(CALLS)])
        ours, theirs = np.median(seconds[WARM_UP:], axis=0)
        ratios[size] = float(ours / theirs)
    return ratios


def _seconds(model: SavedModel, given: tf.Tensor) -> float:
    (name,) = model.inputs
    start = time.perf_counter()
    outputs = model(**{name: given})
    # Until a value is read, an answer may not be there yet.
    for value in outputs.values():
        value.numpy()
    return time.perf_counter() - start
