import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import Train, Transformed

from trainer.settings import TrainerSettings


def history(folder: Path) -> dict[str, list[float]]:
    read: dict[str, list[float]] = json.loads((folder / "run" / "history.json").read_text())
    return read


def weights(folder: Path) -> list[np.ndarray]:
    model = tf.saved_model.load(str(folder / "model"))
    return [variable.numpy() for variable in model.model_variables]


def mean_error(folder: Path, data: Transformed) -> float:
    model = tf.saved_model.load(str(folder / "model"))
    outputs = model.signatures["serving_default"](**{data.feature: tf.constant(data.raw)})
    return float(tf.reduce_mean(outputs["error"]))


def assert_equal(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> None:
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


def test_learns_and_leaves_a_model_history_and_logs(beats: Transformed, train: Train) -> None:
    folder = train(beats, "AnomalyDetector", "mae", epochs=8, batch_size=16, normal_only=True)

    losses = history(folder)
    assert len(losses["loss"]) == len(losses["val_loss"]) == 8
    assert losses["val_loss"][-1] < losses["val_loss"][0]
    assert mean_error(folder, beats) == pytest.approx(losses["val_loss"][-1], rel=1e-5)
    assert list((folder / "run").glob("**/events.out.tfevents*"))


@pytest.mark.parametrize(
    ("model", "loss"), [("BasicAutoencoder", "mse"), ("DenoisingAutoencoder", "mse")]
)
def test_the_same_seed_gives_the_same_model(
    model: str, loss: str, pictures: Transformed, train: Train
) -> None:
    one = train(pictures, model, loss, name="1", epochs=2, batch_size=16, seed=7)
    same = train(pictures, model, loss, name="2", epochs=2, batch_size=16, seed=7)
    other = train(pictures, model, loss, name="3", epochs=2, batch_size=16, seed=8)

    assert history(one) == history(same) != history(other)
    assert_equal(weights(one), weights(same))


def test_steps_per_execution_does_not_change_the_result(beats: Transformed, train: Train) -> None:
    one = train(beats, "AnomalyDetector", "mae", name="1", epochs=2, steps_per_execution=1)
    many = train(beats, "AnomalyDetector", "mae", name="2", epochs=2, steps_per_execution=50)

    assert history(one)["val_loss"] == pytest.approx(history(many)["val_loss"], rel=1e-5)


def test_early_stopping_keeps_the_best_weights(beats: Transformed, train: Train) -> None:
    folder = train(
        beats,
        "AnomalyDetector",
        "mae",
        epochs=60,
        batch_size=16,
        # Too large a step to settle down with, so that the best epoch is not the last one.
        learning_rate=0.05,
        early_stopping_patience=2,
    )

    val_loss = history(folder)["val_loss"]
    assert len(val_loss) < 60
    assert min(val_loss) == val_loss[-3] < val_loss[-1]
    assert mean_error(folder, beats) == pytest.approx(min(val_loss), rel=1e-5)


def test_warm_start_goes_on_from_the_weights(beats: Transformed, train: Train) -> None:
    cold = train(beats, "AnomalyDetector", "mae", name="1", epochs=6, batch_size=16)
    warm = train(
        beats,
        "AnomalyDetector",
        "mae",
        name="2",
        epochs=1,
        batch_size=16,
        learning_rate=1e-12,
        base_model=cold / "model",
    )

    assert history(warm)["val_loss"][0] == pytest.approx(history(cold)["val_loss"][-1], rel=1e-4)


def test_weights_that_do_not_fit_start_cold(
    beats: Transformed, pictures: Transformed, train: Train, caplog: pytest.LogCaptureFixture
) -> None:
    other = train(pictures, "BasicAutoencoder", "mse", name="1", epochs=1)

    cold = train(beats, "AnomalyDetector", "mae", name="2", epochs=1)
    with caplog.at_level("WARNING"):
        warm = train(
            beats, "AnomalyDetector", "mae", name="3", epochs=1, base_model=other / "model"
        )

    assert "starting cold" in caplog.text
    assert history(warm) == history(cold)


def test_settings_are_typed(detector_settings: TrainerSettings) -> None:
    assert detector_settings.shape == (24,)
    assert detector_settings.trainer.epochs == 10
    assert detector_settings.detector
