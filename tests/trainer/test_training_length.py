"""Training in steps, the schedule of the step size, and the trimmed loss."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from trainings import Transformed, history, train_in

from pipeline_config import SettingError, TrainerConfig
from trainer.length import TrainingLength
from trainer.models import build_model
from trainer.trimmed_mean import TrimmedMean

FIVE_BATCHES = tf.data.Dataset.range(5)


@pytest.mark.parametrize(
    ("settings", "part", "steps"),
    [
        ({"epochs": 3}, 5, 15),
        ({"epochs": 3, "steps": 100}, 34, 102),
        ({"epochs": 20, "steps": 3000}, 150, 3000),
        ({"epochs": 20, "steps": 1}, 1, 20),
    ],
)
def test_steps_or_epochs_decide(settings: dict[str, int], part: int, steps: int) -> None:
    length = TrainingLength.of(TrainerConfig(**settings), FIVE_BATCHES)

    assert (length.steps_per_epoch, length.steps) == (part, steps)


def test_a_dataset_of_unknown_length_is_counted_for_a_schedule() -> None:
    batches = FIVE_BATCHES.filter(lambda _: True)

    length = TrainingLength.of(TrainerConfig(epochs=3, schedule="cosine"), batches)

    assert length.steps == 15


def test_cosine_falls_to_nothing() -> None:
    trainer = TrainerConfig(steps=100, epochs=10, schedule="cosine", learning_rate=0.01)

    rate = TrainingLength.of(trainer, FIVE_BATCHES).learning_rate(trainer)

    assert isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
    assert [float(rate(step)) for step in (0, 50, 100)] == pytest.approx([0.01, 0.005, 0.0])


def test_steps_are_the_same_number_however_many_run_at_a_time(
    beats: Transformed, tmp_path: Path
) -> None:
    one, many = (
        history(
            train_in(
                tmp_path / str(count),
                beats,
                "AnomalyDetector",
                "mae",
                epochs=2,
                steps=30,
                schedule="cosine",
                steps_per_execution=count,
            )
        )
        for count in (1, 10)
    )

    assert len(one["loss"]) == 2
    assert one["val_loss"] == pytest.approx(many["val_loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("trim", "mean"), [(0.0, 25.0), (0.2, 2.5), (0.3, 2.5), (0.5, 2.0), (0.99, 1.0)]
)
def test_the_trimmed_mean_leaves_out_the_worst(trim: float, mean: float) -> None:
    errors = tf.constant([3.0, 115.0, 1.0, 2.0, 4.0])

    assert float(TrimmedMean(trim)(errors, errors)) == pytest.approx(mean)


@pytest.mark.parametrize("model", ["AnomalyDetector", "SignalAutoencoder"])
def test_a_trimmed_loss_learns_no_outliers(model: str) -> None:
    generator = np.random.default_rng(0)
    time = np.linspace(0, 6, 24)
    normal = 0.5 + 0.2 * np.sin(time + generator.uniform(0, 1, (180, 1)))
    odd = 0.5 + 0.4 * np.sign(np.sin(4 * time)) + generator.normal(0, 0.02, (20, 24))
    x = np.concatenate([normal, odd]).astype(np.float32)

    def gap(trim: float) -> float:
        keras.utils.set_random_seed(1)
        autoencoder = build_model(model, (24,))
        autoencoder.trim = trim
        autoencoder.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mae")
        autoencoder.adapt([(x, x)])
        autoencoder.fit(x, x, batch_size=50, epochs=100, verbose=0)
        error = np.asarray(autoencoder.assess(x, x, "mae")[1]).mean(axis=1)
        return float(error[180:].mean() / error[:180].mean())

    assert gap(0.2) > 2 * gap(0.0)


@pytest.mark.parametrize(
    ("setting", "value"), [("trim", 0.6), ("steps", -1), ("schedule", "linear")]
)
def test_a_setting_out_of_range_is_one_line(setting: str, value: object) -> None:
    with pytest.raises(SettingError, match=f"trainer.{setting}=") as caught:
        TrainerConfig(**{setting: value})

    assert "\n" not in str(caught.value)
