"""What an image becomes."""

import gzip
import hashlib
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.formats.idx_file import find_pair, read_images


def _contents(images: np.ndarray, labels: np.ndarray) -> set[tuple[bytes, int]]:
    return {(image.tobytes(), label) for image, label in zip(images, labels.tolist(), strict=True)}


def test_examples(
    tmp_path: Path,
    write_splits: Callable[[Path], None],
    pictures: tuple[np.ndarray, np.ndarray],
    ingest_images: Callable,
) -> None:
    images, labels = pictures
    write_splits(tmp_path)

    splits = ingest_images(tmp_path)

    found = {name: {(p.value, p.label) for p in group} for name, group in splits.items()}
    assert found == {
        "train": _contents(images[:20], labels[:20]),
        "eval": _contents(images[20:], labels[20:]),
    }
    for picture in splits["train"] | splits["eval"]:
        content = picture.value + bytes([picture.label])
        assert picture.example_id == hashlib.blake2b(content, digest_size=16).hexdigest()


@pytest.mark.parametrize("block_bytes", [1, 25, 1000])
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_same_images_in_blocks_of_any_size_whatever_the_names(
    tmp_path: Path,
    idx_bytes: Callable[[np.ndarray], bytes],
    pictures: tuple[np.ndarray, np.ndarray],
    compress: Callable[[bytes], bytes],
    block_bytes: int,
) -> None:
    images, labels = pictures
    # Named so that neither the kind nor the compression can be inferred from it.
    (tmp_path / "1.gz").write_bytes(idx_bytes(labels))
    (tmp_path / "2").write_bytes(compress(idx_bytes(images)))

    pair = find_pair([str(tmp_path / "1.gz"), str(tmp_path / "2")], (2, 3))
    blocks = list(read_images(*pair, block_bytes=block_bytes))

    np.testing.assert_array_equal(np.concatenate([b.rows.values for b in blocks]), images)
    np.testing.assert_array_equal(np.concatenate([b.rows.labels for b in blocks]), labels)
    assert max(len(block.rows) for block in blocks) == min(30, max(1, block_bytes // 6))


def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, idx_bytes: Callable[[np.ndarray], bytes]
) -> None:
    (tmp_path / "images").write_bytes(gzip.compress(idx_bytes(np.zeros((50_000, 28, 28), "u1"))))
    (tmp_path / "labels").write_bytes(idx_bytes(np.zeros(50_000, "u1")))
    pair = find_pair([str(tmp_path / "images"), str(tmp_path / "labels")], (28, 28))

    tracemalloc.start()
    images = sum(len(block.rows) for block in read_images(*pair))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert images == 50_000
    assert peak < 8 << 20


@pytest.mark.slow
def test_real_files(ingest_images: Callable) -> None:
    root = os.environ.get("AEPIPE_DATA")
    if not root:
        pytest.skip("AEPIPE_DATA does not name the real files")

    splits = ingest_images(Path(root, "fashion_mnist"), height=28, width=28)

    # The data's own description: no two images of a split are alike.
    assert {name: len(group) for name, group in splits.items()} == {"train": 60_000, "eval": 10_000}
    for group, each in zip(splits.values(), (6_000, 1_000), strict=False):
        assert np.bincount([picture.label for picture in group]).tolist() == [each] * 10
    pixels = np.frombuffer(b"".join(picture.value for picture in splits["train"]), np.uint8)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert pixels.mean() / 255 == pytest.approx(0.2860, abs=5e-5)
