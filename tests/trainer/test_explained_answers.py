"""What a detector's answer says beside its verdict: how rare an error is, and where it lies."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from scipy import stats
from trainings import Transformed, settings_of, train_in, transform

from trainer.export import export_model
from trainer.models import Autoencoder
from trainer.settings import TrainerSettings

LENGTH = 24
CALIBRATION = 20_000
FRESH = 1_000

Answers = Callable[..., dict[str, np.ndarray]]


def waves(rows: int, generator: np.random.Generator, channels: int = 1) -> np.ndarray:
    phase = generator.uniform(0, 1, (rows, 1, channels))
    values = 5 * np.sin(np.linspace(0, 6, LENGTH)[:, None] + phase) - 1
    values += generator.normal(0, 0.1, values.shape)
    return (values[..., 0] if channels == 1 else values).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Trained:
    channels: int
    model: Path

    def call(self, signal: np.ndarray, model: Path | None = None) -> dict[str, np.ndarray]:
        return answers(tf.saved_model.load(str(model or self.model)), signal)

    def fresh(self, rows: int, seed: int) -> np.ndarray:
        return waves(rows, np.random.default_rng(seed), self.channels)


def answers(loaded: tf.Module, signal: np.ndarray) -> dict[str, np.ndarray]:
    outputs = loaded.signatures["serving_default"](signal=tf.constant(signal))
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def with_normal_errors(model: Path, errors: np.ndarray, copy: Path) -> Path:
    """Sets the errors as the evaluator does."""
    loaded = tf.saved_model.load(str(model))
    loaded.normal_errors.assign(np.sort(errors).astype(np.float32))
    tf.saved_model.save(loaded, str(copy), signatures=loaded.signatures)
    return copy


@pytest.fixture(scope="module", params=[1, 3], ids=["one channel", "three channels"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    generator = np.random.default_rng(11)
    train, evaluation = waves(600, generator, request.param), waves(30, generator, request.param)
    data = transform(folder, "signal", train, evaluation, 0.0)
    train_in(folder, data, "AnomalyDetector", "mae", detector=True, epochs=60, normal_only=True)
    return Trained(request.param, folder / "model")


def test_p_values_of_fresh_normals_are_uniform(trained: Trained, tmp_path: Path) -> None:
    calibration = trained.call(trained.fresh(CALIBRATION, seed=1))["error"]
    model = with_normal_errors(trained.model, calibration, tmp_path / "model")

    p_value = trained.call(trained.fresh(FRESH, seed=2), model)["p_value"]

    assert stats.kstest(p_value, "uniform").pvalue > 0.01
    assert p_value.min() > 0
    odd = trained.call(trained.fresh(5, seed=3) + 4.0, model)["p_value"]
    np.testing.assert_allclose(odd, 1 / (CALIBRATION + 1))


def test_contribution_is_each_values_share_of_the_error(trained: Trained) -> None:
    signal = trained.fresh(50, seed=4)
    outputs = trained.call(signal)

    contribution = outputs["contribution"]
    assert contribution.shape == signal.shape
    assert contribution.dtype == np.float32
    assert contribution.min() >= 0
    np.testing.assert_allclose(contribution.reshape(50, -1).sum(axis=1), 1, atol=1e-5)
    # All values are scaled by one line, so that shares are the same in the data's units.
    distance = np.abs(outputs["reconstruction"] - signal).reshape(50, -1)
    shares = distance / distance.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(contribution.reshape(50, -1), shares, atol=1e-4)


def test_a_spike_has_the_largest_contribution_where_it_is(trained: Trained) -> None:
    signal = trained.fresh(LENGTH, seed=5)
    places = np.arange(LENGTH)
    where = (places, places) if trained.channels == 1 else (places, places, places % 3)
    signal[where] += 6.0

    contribution = trained.call(signal)["contribution"].reshape(LENGTH, -1)

    expected = places if trained.channels == 1 else places * 3 + places % 3
    np.testing.assert_array_equal(contribution.argmax(axis=1), expected)


def test_the_shares_of_no_error_are_equal(beats: Transformed, tmp_path: Path) -> None:
    coder = [keras.Input((LENGTH,)), layers.Activation("linear")]
    model = Autoencoder((LENGTH,), keras.Sequential(coder), keras.Sequential(coder))
    settings = TrainerSettings.from_custom_config(
        {"config": settings_of(beats, "AnomalyDetector", "mae", detector=True)}
    )
    export_model(model, beats.output, settings, str(tmp_path / "model"))

    outputs = answers(tf.saved_model.load(str(tmp_path / "model")), beats.raw)

    assert not outputs["error"].any()
    np.testing.assert_allclose(outputs["contribution"], 1 / LENGTH)


def test_p_values_count_ties_and_survive_every_loader(
    detector: Path, beats: Transformed, tmp_path: Path
) -> None:
    loaded = tf.saved_model.load(str(detector))
    unset = answers(loaded, beats.raw)
    np.testing.assert_array_equal(unset["p_value"], 1)
    error = unset["error"]
    normals = np.repeat(error[:7], [1, 2, 3, 1, 1, 4, 1])
    expected = [(1 + np.sum(normals >= one)) / (len(normals) + 1) for one in error]

    model = detector
    # A number of errors that differs from save to save.
    for number, chosen in enumerate((error, normals[:3], normals)):
        model = with_normal_errors(model, chosen, tmp_path / str(number))

    found = answers(tf.saved_model.load(str(model)), beats.raw)
    np.testing.assert_array_equal(found["p_value"], np.float32(expected))
    np.testing.assert_array_equal(found["error"], error)
    session_outputs = _in_a_session(model, beats.raw)
    np.testing.assert_array_equal(session_outputs["p_value"], np.float32(expected))
    np.testing.assert_array_equal(session_outputs["contribution"], found["contribution"])


def _in_a_session(model: Path, signal: np.ndarray) -> dict[str, np.ndarray]:
    """Restores and runs the graph as TensorFlow Serving's loader does."""
    compat = tf.compat.v1
    with compat.Session(graph=tf.Graph()) as session:
        graph = compat.saved_model.load(session, ["serve"], str(model))
        signature = graph.signature_def["serving_default"]
        tensors = {name: info.name for name, info in signature.outputs.items()}
        found: dict[str, np.ndarray] = session.run(
            tensors, {signature.inputs["signal"].name: signal}
        )
        return found
