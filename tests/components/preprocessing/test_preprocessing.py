"""`preprocessing_fn` as Beam runs it, on examples made here."""

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from components.preprocessing.preprocessing import preprocessing_fn

Row = dict[str, Any]

QUIET = {"scale": "all", "noise": 0.0, "noise_seed": 0, "fingerprint": "f"}
SIGNAL = QUIET | {"feature": "signal", "shape": [4]}
CHANNELS = QUIET | {"feature": "signal", "shape": [2, 3]}
IMAGE = QUIET | {"feature": "image", "shape": [6, 5]}
NOISY = IMAGE | {"noise": 0.2}


def transform(
    config: dict[str, Any],
    train: Sequence[Row],
    evaluation: Sequence[Row],
    temp_dir: Path,
    batch_size: int | None = None,
) -> list[Row]:
    """Analyses `train` and returns the transformed `evaluation`."""
    raw = (
        tf.io.FixedLenFeature([math.prod(config["shape"])], tf.float32)
        if config["feature"] == "signal"
        else tf.io.FixedLenFeature([1], tf.string)
    )
    spec = {
        config["feature"]: raw,
        "label": tf.io.FixedLenFeature([1], tf.int64),
        "example_id": tf.io.FixedLenFeature([1], tf.string),
    }
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    with (
        beam.Pipeline(argv=["--runner=FnApiRunner"]) as pipeline,
        tft_beam.Context(temp_dir=str(temp_dir), desired_batch_size=batch_size),
    ):
        analysed = (
            pipeline | "Train" >> beam.Create(train),
            metadata,
        ) | tft_beam.AnalyzeDataset(functools.partial(preprocessing_fn, custom_config=config))
        data, _ = (
            (pipeline | "Eval" >> beam.Create(evaluation), metadata),
            analysed,
        ) | tft_beam.TransformDataset()
        folder = temp_dir / "rows"
        folder.mkdir(parents=True, exist_ok=True)
        _ = data | beam.combiners.ToList() | beam.Map(_save, str(folder / "rows.npy"))
    rows = list(np.load(folder / "rows.npy", allow_pickle=True))
    return sorted(rows, key=lambda row: row["example_id"])


def _save(rows: Any, path: str) -> None:
    np.save(path, np.array(rows, dtype=object))


def signals(values: Sequence[Sequence[float]]) -> list[Row]:
    return [
        {"signal": list(value), "label": [i % 2], "example_id": [f"{i:04}".encode()]}
        for i, value in enumerate(values)
    ]


def images(count: int, shape: Sequence[int] = (6, 5), highest: int = 200) -> list[Row]:
    pixels = np.random.default_rng(1).integers(0, highest, (count, *shape), dtype=np.uint8)
    pixels[0] = np.linspace(0, highest, pixels[0].size).reshape(shape)
    return [
        {"image": [image.tobytes()], "label": [i % 10], "example_id": [f"{i:04}".encode()]}
        for i, image in enumerate(pixels)
    ]


def noise_of(rows: Sequence[Row]) -> np.ndarray:
    return np.array([row["noisy"] - row["target"] for row in rows])


def test_scales_with_the_training_splits_range_over_the_whole_tensor(tmp_path: Path) -> None:
    rows = transform(
        SIGNAL,
        train=signals([[-6, 0, 1, 2], [0, 0, 4, 0]]),
        evaluation=signals([[-6, 4, -1, 0], [-16, 14, 0, 0]]),
        temp_dir=tmp_path,
    )

    np.testing.assert_allclose(rows[0]["target"], [0, 1, 0.5, 0.6], atol=1e-6)
    np.testing.assert_allclose(rows[1]["target"][:2], [-1, 2], atol=1e-6)
    assert rows[0].keys() == {"target", "label", "example_id"}
    assert (rows[1]["label"], rows[1]["example_id"]) == (1, b"0001")
    assert rows[0]["target"].dtype == np.float32


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        # Each channel's own: -6..4, 100..300, and a constant.
        ("channel", [[[0.6, 0.5, 0], [1, 1, 0]], [[0, -0.5, 1], [0.1, 0, 0]]]),
        # The whole tensor's: -6..300.
        ("all", [[[6, 206, 13], [10, 306, 13]], [[0, 6, 14], [1, 106, 13]]]),
    ],
)
def test_channels_are_scaled_alike_or_each_by_its_own_range(
    scale: str, expected: list[list[list[float]]], tmp_path: Path
) -> None:
    rows = transform(
        CHANNELS | {"scale": scale},
        train=signals([[-6, 100, 7, 0, 200, 7], [4, 300, 7, 0, 200, 7]]),
        evaluation=signals([[0, 200, 7, 4, 300, 7], [-6, 0, 8, -5, 100, 7]]),
        temp_dir=tmp_path,
    )

    found = np.array([row["target"] for row in rows])
    assert found.shape == (2, 2, 3)
    divisor = 1 if scale == "channel" else 306
    np.testing.assert_allclose(found, np.array(expected) / divisor, atol=1e-6)


@pytest.mark.parametrize("config", [SIGNAL, IMAGE])
def test_without_channels_both_ways_to_scale_are_one(
    config: dict[str, Any], tmp_path: Path
) -> None:
    rows = images(3) if config is IMAGE else signals([[-6, 0, 1, 2], [0, 0, 4, 0]])

    one = transform(config, rows, rows, tmp_path / "1")
    other = transform(config | {"scale": "channel"}, rows, rows, tmp_path / "2")

    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left["target"], right["target"])


def test_images_are_scaled_by_255_where_both_ends_occur(tmp_path: Path) -> None:
    rows = transform(IMAGE, images(8, highest=255), images(8, highest=255), tmp_path)

    raw = [np.frombuffer(row["image"][0], np.uint8).reshape(6, 5) for row in images(8, highest=255)]
    np.testing.assert_allclose([row["target"] for row in rows], np.array(raw) / 255, atol=1e-6)


@pytest.mark.parametrize("constant", [0.0, 7.5, -3.0])
def test_a_constant_becomes_zero(constant: float, tmp_path: Path) -> None:
    rows = transform(SIGNAL, signals([[constant] * 4] * 3), signals([[constant] * 4]), tmp_path)

    assert rows[0]["target"].tolist() == [0.0] * 4


def test_noise_is_standard_normal_times_its_size(tmp_path: Path) -> None:
    rows = transform(
        NOISY | {"shape": [40, 40]}, images(30, (40, 40)), images(30, (40, 40)), tmp_path
    )

    target = np.array([row["target"] for row in rows])
    inside = np.abs(target - 0.5) < 0.1
    noise = noise_of(rows)[inside] / 0.2
    noisy = np.array([row["noisy"] for row in rows])
    assert noise.size > 5000
    # Within 0.1 of the middle, clipping cuts off what lies 2 standard deviations away.
    assert abs(np.median(noise)) < 0.05
    assert np.mean(np.abs(noise) < 1) == pytest.approx(0.6827, abs=0.02)
    assert np.mean(np.abs(noise) < 0.6745) == pytest.approx(0.5, abs=0.02)
    assert (noisy.min(), noisy.max()) == (0.0, 1.0)


def test_noise_does_not_depend_on_batches_or_order(tmp_path: Path) -> None:
    rows = images(23)

    one = transform(NOISY, rows, rows, tmp_path / "1", batch_size=4)
    other = transform(NOISY, rows, rows[::-1], tmp_path / "2", batch_size=9)

    np.testing.assert_array_equal(noise_of(one), noise_of(other))


def test_noise_differs_between_examples_and_seeds(tmp_path: Path) -> None:
    same = np.full(30, 100, np.uint8).tobytes()
    rows = [{"image": [same], "label": [0], "example_id": [name]} for name in (b"a", b"b")]

    first, second = noise_of(transform(NOISY, images(3), rows, tmp_path / "1"))
    other_seed, _ = noise_of(transform(NOISY | {"noise_seed": 1}, images(3), rows, tmp_path / "2"))

    assert not np.allclose(first, second)
    assert not np.allclose(first, other_seed)
