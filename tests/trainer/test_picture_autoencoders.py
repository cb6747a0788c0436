"""What the wider models of pictures do beside the tutorial's, and that they are exported whole."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.decomposition import PCA
from trainings import Transformed, history, train_in

from trainer.models import build_model


def blobs(count: int, size: int = 12) -> np.ndarray:
    """Soft spots anywhere: a few numbers each, which no linear model of few components has."""
    rng = np.random.default_rng(1)
    rows, columns = np.indices((size, size))
    centres = rng.uniform(1, size - 1, (2, count, 1, 1))
    distance = (rows - centres[0]) ** 2 + (columns - centres[1]) ** 2
    return np.exp(-distance / rng.uniform(1, 3, (count, 1, 1))).astype(np.float32)


def test_training_begins_at_the_principal_components() -> None:
    pictures = blobs(400)
    model = build_model("WideAutoencoder", (12, 12))
    model.adapt([(pictures[:300], pictures[:300]), (pictures[300:], pictures[300:])])

    pca = PCA(64).fit(pictures.reshape(400, -1))
    expected = pca.inverse_transform(pca.transform(pictures.reshape(400, -1)))
    np.testing.assert_allclose(
        np.asarray(model(pictures, training=True)).reshape(400, -1), expected, atol=1e-3
    )
    np.testing.assert_allclose(np.asarray(model.encode(pictures)).std(axis=0), 1.0, atol=0.02)
    assert np.asarray(model(pictures)).min() >= 0.0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "pictures",
    [blobs(1), blobs(3), np.repeat(blobs(1), 5, axis=0)],
    ids=["one", "three", "all alike"],
)
def test_a_few_examples_have_fewer_components(pictures: np.ndarray) -> None:
    model = build_model("WideAutoencoder", (12, 12))
    model.adapt([(pictures, pictures)])
    np.testing.assert_allclose(np.asarray(model(pictures)), pictures, atol=1e-4)


def test_a_residual_denoiser_takes_off_what_its_decoder_returns() -> None:
    pictures = blobs(20, size=13)
    model = build_model("ResidualDenoiser", (13, 13))
    answer = np.asarray(model(pictures, training=True))
    noise = np.asarray(model.decoder(model.encoder(pictures[..., None])))
    np.testing.assert_allclose(answer + noise, pictures, atol=1e-6)


@pytest.mark.parametrize(("model", "latent"), [("WideAutoencoder", 64), ("ResidualDenoiser", 720)])
def test_a_trained_model_is_served_as_the_tutorials_are(
    model: str, latent: int, pictures: Transformed, tmp_path: Path
) -> None:
    settings = {"epochs": 8, "batch_size": 32, "schedule": "cosine"}
    folder = train_in(tmp_path, pictures, model, "mse", **settings)

    losses = history(folder)["val_loss"]
    assert losses[-1] < losses[0]
    served = tf.saved_model.load(str(folder / "model")).signatures
    raw = tf.constant(pictures.raw)
    answer = served["serving_default"](image=raw)
    scored = served["score"](image=raw, noise=tf.zeros_like(raw))
    np.testing.assert_allclose(answer["error"], scored["error"], atol=1e-7)
    reconstruction = answer["reconstruction"].numpy()
    assert 0 <= reconstruction.min() <= reconstruction.max() <= 1
    assert served["encode"](image=raw)["latent"].shape == (len(pictures.raw), latent)
