"""PSNR and SSIM over the noise, beside the same in NumPy."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import convolve2d
from tfx.utils import path_utils

from components.example_noise import standard_normal_per_example
from components.raw_examples import split_files
from components.threshold_evaluator import noise_levels
from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.noise_levels import NOISE_LEVELS, measure_noise_levels
from components.threshold_evaluator.scores import Scores
from pipeline_config import EvaluatorConfig
from tests.components.artifacts import example, write_shards

SEED = 5


def pictures(count: int, shape: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
    """Soft stripes at angles of their own, and ids as ExampleGen's."""
    rng = np.random.default_rng(3)
    rows, columns = np.indices(shape)
    angles = rng.uniform(0, np.pi, (count, 1, 1))
    waves = np.sin(0.4 * (rows * np.cos(angles) + columns * np.sin(angles)))
    return np.round(127.5 + 100 * waves).astype(np.uint8), [
        rng.bytes(16).hex() for _ in range(count)
    ]


def measure(
    bench: Any, images: np.ndarray, ids: list[str], *, noise: float = 0.2, gain: float = 0.9
) -> list[dict[str, Any]]:
    records = [example(image, example_id=one) for image, one in zip(images, ids, strict=True)]
    shutil.rmtree(Path(bench.data.uri, "Split-eval"), ignore_errors=True)
    write_shards(bench.data, "eval", [records[:7], records[7:]])
    shape = images.shape[1:]
    directory = path_utils.serving_model_dir(bench.reconstructor(gain=gain, shape=shape).uri)
    none = np.zeros(len(images), np.float32)
    numbers = np.frombuffer(bytes.fromhex("".join(ids)), ">u8").astype(np.uint64).reshape(-1, 2)
    config = EvaluationConfig(
        feature="image",
        shape=shape,
        loss="mse",
        noise=noise,
        noise_seed=SEED,
        gate=EvaluatorConfig(),
    )
    scores = Scores(none, none.astype(np.int16), none, none.astype(np.bytes_), numbers)
    return measure_noise_levels(split_files([bench.data], "eval"), scores, directory, config)


def structural_similarity(one: np.ndarray, other: np.ndarray) -> float:
    """SSIM of two pictures as published: a Gaussian window of 11 pixels, valid places only."""
    axis = np.arange(11) - 5
    window = np.exp(-np.add.outer(axis**2, axis**2) / (2 * 1.5**2))

    def mean(values: np.ndarray) -> np.ndarray:
        return convolve2d(values, window / window.sum(), mode="valid")

    mean_one, mean_other = mean(one), mean(other)
    variances = mean(one**2) - mean_one**2 + mean(other**2) - mean_other**2
    covariance = mean(one * other) - mean_one * mean_other
    luminance = (2 * mean_one * mean_other + 0.01**2) / (mean_one**2 + mean_other**2 + 0.01**2)
    return float(np.mean(luminance * (2 * covariance + 0.03**2) / (variances + 0.03**2)))


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.mean(-10 * np.log10(np.mean((one - other) ** 2, axis=(1, 2)))))


def test_levels_are_measured_against_the_clean_examples(bench: Any) -> None:
    images, ids = pictures(20, (14, 13))

    found = measure(bench, images, ids, gain=0.9)

    assert [level["noise"] for level in found] == list(NOISE_LEVELS)
    clean = images / 255.0
    unit = standard_normal_per_example(tf.constant(ids), (14, 13), SEED).numpy()
    for level in found:
        given = clean + level["noise"] * unit
        assert level["examples"] == 20
        assert level["noisy_psnr_db"] == pytest.approx(psnr(given, clean), rel=1e-4)
        assert level["psnr_db"] == pytest.approx(psnr(given * 0.9, clean), rel=1e-4)
        ssims = [structural_similarity(*pair) for pair in zip(given, clean, strict=True)]
        assert level["noisy_ssim"] == pytest.approx(np.mean(ssims), rel=1e-3)
        assert level["ssim"] != level["noisy_ssim"]


def test_the_pipelines_own_noise_is_among_the_levels(bench: Any) -> None:
    images, ids = pictures(3, (14, 13))
    levels = [level["noise"] for level in measure(bench, images, ids, noise=0.25)]
    assert levels == [0.1, 0.2, 0.25, 0.3, 0.4, 0.5]


def test_a_large_split_is_measured_on_a_sample_of_any_order(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise_levels, "MOST_EXAMPLES", 8)
    images, ids = pictures(20, (14, 13))
    least = np.argsort(ids)[:8]
    of_sample = measure(bench, images[least], [ids[i] for i in least])
    for order in (np.arange(20), np.arange(20)[::-1]):
        found = measure(bench, images[order], [ids[i] for i in order])
        for level, expected in zip(found, of_sample, strict=True):
            assert level == pytest.approx(expected, rel=1e-5)


def test_small_pictures_have_no_ssim(bench: Any) -> None:
    images, ids = pictures(4, (14, 10))
    for level in measure(bench, images, ids):
        assert (level["ssim"], level["noisy_ssim"]) == (None, None)
        assert level["psnr_db"] < level["noisy_psnr_db"] + 10


def test_without_noise_nothing_is_measured(bench: Any) -> None:
    assert measure(bench, *pictures(4, (14, 13)), noise=0.0) == []
