"""A signal of several channels, from Transform to the served model."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from trainings import Transformed, train_in, transform

from trainer.preprocessing_graph import PreprocessingGraph

SHAPE = (16, 3)


@dataclasses.dataclass(frozen=True)
class Trained:
    scale: str
    data: Transformed
    model: Path

    def call(self, signature: str, **inputs: object) -> dict[str, np.ndarray]:
        loaded = tf.saved_model.load(str(self.model))
        given = {name: tf.constant(value) for name, value in inputs.items()}
        outputs = loaded.signatures[signature](**given)
        return {name: tensor.numpy() for name, tensor in outputs.items()}


@pytest.fixture(scope="module", params=["all", "channel"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A detector of waves in three channels: within 1, within 100 around 1000, and always 7."""
    folder = tmp_path_factory.mktemp(request.param)
    generator = np.random.default_rng(5)
    waves = np.sin(np.linspace(0, 6, 16) + generator.uniform(0, 1, (120, 1)))
    values = np.stack([waves, 1000 + 100 * waves, np.full_like(waves, 7)], axis=-1)
    train, evaluation = np.split(values.astype(np.float32), [80])
    data = transform(folder, "signal", train, evaluation, 0.0, scale=request.param)
    train_in(folder, data, "AnomalyDetector", "mae", detector=True, epochs=60, normal_only=True)
    return Trained(request.param, data, folder / "model")


def test_the_signatures_take_and_return_samples_by_channels(trained: Trained) -> None:
    signatures = tf.saved_model.load(str(trained.model)).signatures
    shapes = {
        name: (
            {key: spec.shape.as_list() for key, spec in of.structured_input_signature[1].items()},
            {key: spec.shape.as_list() for key, spec in of.structured_outputs.items()},
        )
        for name, of in signatures.items()
    }

    raw, by_example = [None, *SHAPE], [None]
    verdicts = dict.fromkeys(("error", "threshold", "is_anomaly", "p_value"), by_example)
    verdicts["contribution"] = raw
    verdicts["channel_error"] = [None, 3]
    scored = {"error": by_example, "noisy_error": by_example, "given": raw, "reconstruction": raw}
    assert shapes == {
        "serving_default": ({"signal": raw}, {"reconstruction": raw, **verdicts}),
        "serve_examples": ({"examples": by_example}, {"reconstruction": raw, **verdicts}),
        "encode": ({"signal": raw}, {"latent": [None, 8]}),
        "score": ({"signal": raw, "noise": raw}, scored),
    }


def test_examples_and_tensors_give_the_same(trained: Trained) -> None:
    of_raw = trained.call("serving_default", signal=trained.data.raw)
    of_examples = trained.call("serve_examples", examples=trained.data.examples)
    scored = trained.call("score", signal=trained.data.raw, noise=np.zeros_like(trained.data.raw))

    assert of_raw.keys() == of_examples.keys()
    for name, values in of_raw.items():
        np.testing.assert_array_equal(values, of_examples[name])
    np.testing.assert_allclose(scored["error"], of_raw["error"], atol=1e-7)


def test_scaling_is_undone_channel_by_channel(trained: Trained) -> None:
    graph = PreprocessingGraph(trained.data.output, "signal")
    scaled = graph.scale(tf.constant(trained.data.raw)).numpy()

    # Of the whole range of 1101 a wave within 1 keeps 2 digits less.
    np.testing.assert_allclose(graph.unscale(scaled), trained.data.raw, atol=2e-3)
    least, most = scaled.min(axis=(0, 1)), scaled.max(axis=(0, 1))
    if trained.scale == "channel":
        np.testing.assert_allclose(least, [0, 0, 0], atol=0.02)
        np.testing.assert_allclose(most, [1, 1, 0], atol=0.02)
    else:
        np.testing.assert_allclose(most, [2 / 1101, 1, 8 / 1101], atol=0.002)


def test_a_reconstruction_is_in_each_channels_own_units(trained: Trained) -> None:
    outputs = trained.call("serving_default", signal=trained.data.raw)

    graph = PreprocessingGraph(trained.data.output, "signal")
    scaled = graph.scale(tf.constant(trained.data.raw)).numpy()
    again = graph.scale(tf.constant(outputs["reconstruction"])).numpy()
    error = np.abs(again - scaled).mean(axis=(1, 2))
    np.testing.assert_allclose(error, outputs["error"], atol=1e-5)
    by_channel = np.abs(again - scaled).mean(axis=1)
    np.testing.assert_allclose(by_channel, outputs["channel_error"], atol=1e-5)
    np.testing.assert_allclose(outputs["channel_error"].mean(axis=1), outputs["error"], rtol=1e-5)
    of_channels = outputs["channel_error"] / outputs["channel_error"].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(outputs["contribution"].sum(axis=1), of_channels, atol=1e-5)
    assert 900 < outputs["reconstruction"][..., 1].mean() < 1100
    if trained.scale == "channel":
        assert abs(outputs["reconstruction"][..., 0].mean()) < 1
        np.testing.assert_allclose(outputs["reconstruction"][..., 2], 7, atol=0.5)
