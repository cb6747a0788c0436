"""Data and trained models, made once for all the trainer's tests; do not write to them."""

from pathlib import Path

import numpy as np
import pytest
from trainings import Transformed, train_in, transform


@pytest.fixture(scope="session")
def beats(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Waves of 24 samples, two thirds of them labelled normal."""
    generator = np.random.default_rng(3)
    time = np.linspace(0, 6, 24)
    waves = 5 * np.sin(time + generator.uniform(0, 1, (200, 1))) - 1
    waves += generator.normal(0, 0.1, waves.shape)
    values = waves.astype(np.float32)
    return transform(tmp_path_factory.mktemp("beats"), "signal", values[:160], values[160:], 0.0)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Bright rectangles on 10 x 9 pixels, with noise."""
    generator = np.random.default_rng(4)
    images = np.zeros((200, 10, 9), np.uint8)
    for image in images:
        top, left = generator.integers(0, 5, 2)
        image[top : top + 4, left : left + 3] = generator.integers(100, 255)
    return transform(tmp_path_factory.mktemp("pictures"), "image", images[:160], images[160:], 0.2)


@pytest.fixture(scope="session")
def detector(beats: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A served model of `beats`, with a threshold."""
    folder = tmp_path_factory.mktemp("detector")
    train_in(folder, beats, "AnomalyDetector", "mae", detector=True, epochs=2, normal_only=True)
    return folder / "model"


@pytest.fixture(scope="session")
def denoiser(pictures: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A served model of `pictures`."""
    folder = tmp_path_factory.mktemp("denoiser")
    return train_in(folder, pictures, "DenoisingAutoencoder", "mse", epochs=1) / "model"
