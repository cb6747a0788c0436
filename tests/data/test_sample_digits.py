"""The built-in digits: IDX layout, determinism, and that the classes differ."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from data.sample_digits import blocks, resized, write_idx


def written(
    folder: Path, count: int = 100, height: int = 28, width: int = 28, seed: int = 0
) -> tuple[bytes, bytes]:
    folder.mkdir(exist_ok=True)
    images, labels = folder / "images.gz", folder / "labels.gz"
    rng = np.random.default_rng(seed)
    write_idx(images, labels, count=count, shape=(height, width), rng=rng, training=True)
    return images.read_bytes(), labels.read_bytes()


@pytest.mark.parametrize(
    ("count", "height", "width"), [(100, 28, 28), (13, 28, 28), (40, 20, 35), (10, 1, 1)]
)
def test_files_are_idx(tmp_path, count, height, width):
    images, labels = map(gzip.decompress, written(tmp_path, count, height, width))
    assert struct.unpack(">4I", images[:16]) == (2051, count, height, width)
    assert len(images) == 16 + count * height * width
    assert struct.unpack(">2I", labels[:8]) == (2049, count)
    assert len(labels) == 8 + count
    assert set(labels[8:]) == set(range(10))


def test_classes_have_equal_shares_in_no_order(tmp_path):
    _, labels = map(gzip.decompress, written(tmp_path, 1000))
    classes = np.frombuffer(labels, np.uint8, offset=8)
    assert np.bincount(classes).tolist() == [100] * 10
    assert len(np.unique(classes[:40])) > 5


def test_same_seed_same_bytes_whatever_the_file_is_called(tmp_path):
    assert written(tmp_path / "a", seed=3) == written(tmp_path / "b", seed=3)
    assert written(tmp_path / "a", seed=3) != written(tmp_path / "c", seed=4)


def drawn(count: int, *, training: bool) -> tuple[np.ndarray, np.ndarray]:
    parts = list(blocks(count, (28, 28), np.random.default_rng(0), training=training))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def test_background_is_black_and_digits_fill_the_picture():
    images, _ = drawn(2000, training=True)
    assert images.dtype == np.uint8
    assert 0.3 < (images == 0).mean() < 0.8
    assert (images.reshape(2000, -1).max(axis=1) > 60).all()
    assert images.max() == 255


def test_no_image_occurs_twice():
    images, _ = drawn(2000, training=True)
    assert len(np.unique(images.reshape(2000, -1), axis=0)) == 2000


def test_a_digit_of_the_eval_split_is_most_like_its_own_class():
    images, labels = drawn(2000, training=True)
    others, expected = drawn(500, training=False)
    means = np.stack([images[labels == digit].mean(axis=0) for digit in range(10)])
    distance = ((others[:, None] - means[None]) ** 2).sum(axis=(2, 3))
    assert (distance.argmin(axis=1) == expected).mean() > 0.7


def test_pictures_of_one_digit_differ_in_size_place_and_brightness():
    disc = 16 * (np.hypot(*np.mgrid[-3.5:4, -3.5:4]) < 3).astype(float)
    images = resized(np.tile(disc, (200, 1, 1)), (28, 28), np.random.default_rng(0))
    covered = (images > 0).mean(axis=(1, 2))
    assert covered.max() > 1.3 * covered.min()
    assert np.ptp(images.argmax(axis=2).max(axis=1)) >= 3
    assert np.ptp(images.max(axis=(1, 2))) > 60


def test_a_large_sample_comes_in_blocks_of_one_size():
    images, labels = next(blocks(1_000_000, (28, 28), np.random.default_rng(0), training=True))
    assert images.nbytes < 1 << 20
    assert len(labels) == len(images)
