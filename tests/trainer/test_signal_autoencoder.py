"""The model of `detector`, without a pipeline around it and as one trains it."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from trainings import Transformed, history, train_in, weights

from trainer.signal_autoencoder import LATENTS, SignalAutoencoder, Standardised, smoothed


@pytest.mark.parametrize("shape", [(16,), (140,), (4096,), (16, 3), (512, 8)])
def test_takes_signals_of_any_length_and_channels(shape: tuple[int, ...]) -> None:
    model = SignalAutoencoder(shape)
    x = np.random.default_rng(0).random((3, *shape), np.float32)

    reconstruction, deviation = model.assess(x, x, "mae")

    assert reconstruction.shape == deviation.shape == x.shape
    np.testing.assert_allclose(model(x), reconstruction)
    assert tuple(model.encode(x).shape) == (3, len(LATENTS), max(LATENTS))


def test_a_members_code_has_its_own_number_of_values() -> None:
    x = np.random.default_rng(0).random((5, 30), np.float32)

    code = np.asarray(SignalAutoencoder((30,)).encode(x))

    assert [(member != 0).any(axis=0).sum() for member in code.transpose(1, 0, 2)] == list(LATENTS)


@pytest.mark.parametrize(
    ("shape", "window"), [((79,), 1), ((80,), 3), ((140,), 3), ((200, 3), 5), ((512, 2, 2), 13)]
)
def test_smooths_each_channel_along_its_samples(shape: tuple[int, ...], window: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, *shape)).astype(np.float32)

    expected = x
    for _ in range(2):
        half, past = window // 2, expected
        parts = [
            past[:, :, max(0, at - half) : at + half + 1].mean(axis=2) for at in range(shape[0])
        ]
        expected = np.stack(parts, axis=2)
    np.testing.assert_allclose(smoothed(x, shape), expected, atol=1e-5)


def test_standardises_each_value_and_bears_constant_ones() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal([[3.0], [-20.0]], [[1.0], [50.0]], (400, 2, 6)).transpose(0, 2, 1)
    x[:, 2, 0] = 7.0
    layer = Standardised((6, 2))

    layer.adapt([x[:100].astype(np.float32), x[100:].astype(np.float32)])

    values = np.asarray(layer(x.astype(np.float32))).reshape(x.shape)
    changing = np.delete(values.reshape(400, 12), 4, axis=1)
    np.testing.assert_allclose(changing.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(changing.std(axis=0), 1, atol=1e-4)
    np.testing.assert_allclose(values[:, 2, 0], 0, atol=1e-3)
    np.testing.assert_allclose(layer.undo(values.reshape(400, 12)), x, rtol=1e-4, atol=1e-3)
    # A change of one unit where nothing changed, against a channel that varies by one unit.
    moved = x.copy()
    moved[:, 2, 0] += 1
    seen = np.asarray(layer(moved.astype(np.float32))).reshape(x.shape)[:, 2, 0]
    assert 5 < seen.mean() < 20


@pytest.fixture(scope="module")
def trained(beats: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    return train_in(
        folder / "training",
        beats,
        "SignalAutoencoder",
        "mae",
        detector=True,
        epochs=4,
        steps=200,
        schedule="cosine",
        seed=7,
        normal_only=True,
    )


def served(folder: Path, signal: np.ndarray) -> dict[str, np.ndarray]:
    model = tf.saved_model.load(str(folder / "model"))
    outputs = model.signatures["serving_default"](signal=tf.constant(signal))
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def test_learns_in_so_many_parts_and_serves_the_error_it_was_validated_by(
    trained: Path, beats: Transformed
) -> None:
    losses = history(trained)

    assert len(losses["loss"]) == len(losses["val_loss"]) == 4
    assert losses["val_loss"][-1] < 0.9 * losses["val_loss"][0]
    error = served(trained, beats.raw)["error"]
    assert error.mean() == pytest.approx(losses["val_loss"][-1], rel=1e-4)


def test_what_is_unlike_the_training_is_badly_reconstructed(
    trained: Path, beats: Transformed
) -> None:
    normal = served(trained, beats.raw)
    upside_down = served(trained, -beats.raw)

    assert upside_down["error"].min() > 2 * normal["error"].max()
    assert np.abs(normal["reconstruction"] - beats.raw).mean() < 0.5


def test_the_seed_decides(trained: Path, beats: Transformed, tmp_path: Path) -> None:
    same, other = (
        train_in(
            tmp_path / str(seed),
            beats,
            "SignalAutoencoder",
            "mae",
            detector=True,
            epochs=4,
            steps=200,
            schedule="cosine",
            seed=seed,
            normal_only=True,
        )
        for seed in (7, 8)
    )

    assert history(trained) == history(same) != history(other)
    for one, two in zip(weights(trained), weights(same), strict=True):
        np.testing.assert_array_equal(one, two)
