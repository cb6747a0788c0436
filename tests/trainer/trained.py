"""What a training left in its folder, and whether two trainings left the same."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf


def history(folder: Path) -> dict[str, list[float]]:
    read: dict[str, list[float]] = json.loads((folder / "run" / "history.json").read_text())
    return read


def weights(folder: Path) -> list[np.ndarray]:
    model = tf.saved_model.load(str(folder / "model"))
    return [variable.numpy() for variable in model.model_variables]


def assert_close(one: Path, other: Path) -> None:
    """Compares losses epoch by epoch, and weights in units of their tensor's largest.

    The sums of several replicas are rounded otherwise than that of one, and Adam makes more of it
    with every step: after 14 epochs, losses differed by 5e-7 and weights by 6e-6.
    """
    expected, found = history(one), history(other)
    assert expected.keys() == found.keys()
    for name, losses in expected.items():
        np.testing.assert_allclose(found[name], losses, rtol=1e-5)
    for left, right in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(right, left, rtol=0, atol=1e-4 * np.abs(left).max())
