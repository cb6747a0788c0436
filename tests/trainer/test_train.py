import types
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from trainings import Transformed, arguments, history, settings_of, train_in, weights

from pipeline_config import SettingError, TrainerConfig
from trainer.settings import TrainerSettings
from trainer.train import run_fn


def mean_error(folder: Path, data: Transformed) -> float:
    model = tf.saved_model.load(str(folder / "model"))
    outputs = model.signatures["serving_default"](**{data.feature: tf.constant(data.raw)})
    return float(tf.reduce_mean(outputs["error"]))


def assert_equal(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> None:
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


def test_learns_and_leaves_a_model_history_and_logs(beats: Transformed, tmp_path: Path) -> None:
    folder = train_in(
        tmp_path / "training",
        beats,
        "AnomalyDetector",
        "mae",
        epochs=8,
        batch_size=16,
        normal_only=True,
    )

    losses = history(folder)
    assert len(losses["loss"]) == len(losses["val_loss"]) == 8
    assert losses["val_loss"][-1] < losses["val_loss"][0]
    assert mean_error(folder, beats) == pytest.approx(losses["val_loss"][-1], rel=1e-5)
    assert list((folder / "run").glob("**/events.out.tfevents*"))


@pytest.mark.parametrize(
    ("model", "loss"), [("BasicAutoencoder", "mse"), ("DenoisingAutoencoder", "mse")]
)
def test_the_same_seed_gives_the_same_model(
    model: str, loss: str, pictures: Transformed, tmp_path: Path
) -> None:
    one = train_in(tmp_path / "1", pictures, model, loss, epochs=2, batch_size=16, seed=7)
    same = train_in(tmp_path / "2", pictures, model, loss, epochs=2, batch_size=16, seed=7)
    other = train_in(tmp_path / "3", pictures, model, loss, epochs=2, batch_size=16, seed=8)

    assert history(one) == history(same) != history(other)
    assert_equal(weights(one), weights(same))


def test_steps_per_execution_does_not_change_the_result(beats: Transformed, tmp_path: Path) -> None:
    one = train_in(tmp_path / "1", beats, "AnomalyDetector", "mae", epochs=2, steps_per_execution=1)
    many = train_in(
        tmp_path / "2", beats, "AnomalyDetector", "mae", epochs=2, steps_per_execution=50
    )

    assert history(one)["val_loss"] == pytest.approx(history(many)["val_loss"], rel=1e-5)


def test_early_stopping_keeps_the_best_weights(beats: Transformed, tmp_path: Path) -> None:
    folder = train_in(
        tmp_path / "training",
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


def test_warm_start_goes_on_from_the_weights(beats: Transformed, tmp_path: Path) -> None:
    cold = train_in(tmp_path / "1", beats, "AnomalyDetector", "mae", epochs=6, batch_size=16)
    warm = train_in(
        tmp_path / "2",
        beats,
        "AnomalyDetector",
        "mae",
        epochs=1,
        batch_size=16,
        learning_rate=1e-12,
        base_model=cold / "model",
    )

    assert history(warm)["val_loss"][0] == pytest.approx(history(cold)["val_loss"][-1], rel=1e-4)


@pytest.mark.parametrize(
    ("model", "data"), [("SignalAutoencoder", "beats"), ("WideAutoencoder", "pictures")]
)
def test_warm_start_keeps_what_the_earlier_model_adapted_to(
    model: str, data: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    examples: Transformed = request.getfixturevalue(data)
    cold = train_in(tmp_path / "1", examples, model, "mse", epochs=2)

    still = {"epochs": 1, "learning_rate": 1e-12, "base_model": cold / "model"}
    newer = arguments(tmp_path / "2", examples, model, "mse", **still)
    run_fn(types.SimpleNamespace(**{**newer, "train_files": examples.files("eval")}))

    for earlier, later in zip(weights(cold), weights(tmp_path / "2"), strict=True):
        np.testing.assert_allclose(later, earlier, atol=1e-6)


def test_weights_that_do_not_fit_start_cold(
    beats: Transformed, pictures: Transformed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = train_in(tmp_path / "1", pictures, "BasicAutoencoder", "mse", epochs=1)

    cold = train_in(tmp_path / "2", beats, "AnomalyDetector", "mae", epochs=1)
    with caplog.at_level("WARNING"):
        warm = train_in(
            tmp_path / "3", beats, "AnomalyDetector", "mae", epochs=1, base_model=other / "model"
        )

    assert "starting cold" in caplog.text
    assert history(warm) == history(cold)


def test_settings_are_typed(beats: Transformed) -> None:
    config = settings_of(beats, "AnomalyDetector", "mae", detector=True, epochs=3)

    settings = TrainerSettings.from_custom_config({"config": config, "fingerprint": ""})

    assert settings.shape == (24,)
    assert settings.trainer.epochs == 3
    assert settings.detector


def test_a_setting_out_of_range_is_reported(beats: Transformed) -> None:
    config = settings_of(beats, "AnomalyDetector", "mae")
    config["trainer"]["epochs"] = 0

    with pytest.raises(SettingError, match=r"trainer\.epochs=0"):
        TrainerSettings.from_custom_config({"config": config})


@pytest.mark.parametrize(
    ("normal_only", "presumes_normal", "labels"),
    [
        (True, True, (1, -1)),
        (True, False, (1,)),
        (False, True, None),
        (False, False, (1, 0)),
    ],
)
def test_unlabelled_examples_are_trained_on_if_they_are_presumed_normal(
    normal_only: bool, presumes_normal: bool, labels: tuple[int, ...] | None
) -> None:
    settings = TrainerSettings(
        name="test",
        model="AnomalyDetector",
        loss="mae",
        detector=True,
        feature="signal",
        shape=(24,),
        trainer=TrainerConfig(normal_only=normal_only),
        presumes_normal=presumes_normal,
    )
    assert settings.labels == labels
