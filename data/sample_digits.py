"""Handwritten digits in the layout of the Fashion-MNIST files (gzip-compressed IDX).

They are scikit-learn's: 1,797 digits of 43 people, 8 x 8 pixels of 17 levels.
"""

import gzip
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049

Pixels = npt.NDArray[np.uint8]

_PIXELS_A_BLOCK = 2**19


def write_idx(
    images_path: Path,
    labels_path: Path,
    *,
    count: int,
    shape: tuple[int, ...],
    rng: np.random.Generator,
    training: bool,
) -> None:
    """Writes one split as a pair of gzip-compressed IDX files.

    The same arguments and state of `rng` give the same bytes. Memory does not grow with
    `count`, but for a byte a label.
    """
    with _gzip(images_path) as images, _gzip(labels_path) as labels:
        images.write(struct.pack(">4I", IMAGES_MAGIC, count, *shape))
        labels.write(struct.pack(">2I", LABELS_MAGIC, count))
        for block, classes in blocks(count, shape, rng, training=training):
            images.write(block.tobytes())
            labels.write(classes.tobytes())


def blocks(
    count: int, shape: tuple[int, ...], rng: np.random.Generator, *, training: bool
) -> Iterator[tuple[Pixels, Pixels]]:
    """Yields images uint8 [n, *shape] and labels uint8 [n], all digits in equal shares.

    Four fifths of scikit-learn's digits are for training and the rest are not, so that the
    evaluation sees none of the training's.
    """
    # Takes a second, and a run on other data does without.
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    mine = (np.arange(len(images)) % 5 > 0) == training
    images = images[mine][np.argsort(digits[mine], kind="stable")].reshape(-1, 8, 8)
    of_each = np.bincount(digits[mine])
    first = np.cumsum(of_each) - of_each
    labels = (np.arange(count) % 10).astype(np.uint8)
    rng.shuffle(labels)
    a_block = max(1, _PIXELS_A_BLOCK // math.prod(shape))
    for start in range(0, count, a_block):
        chosen = labels[start : start + a_block]
        rows = first[chosen] + rng.integers(of_each[chosen])
        yield resized(images[rows], shape, rng), chosen


def resized(
    images: npt.NDArray[np.float64], shape: tuple[int, ...], rng: np.random.Generator
) -> Pixels:
    """Returns the images in another size, each stretched, moved and lit a little differently.

    Args:
        images: [n, rows, columns], 0 to 16.
        shape: Height and width of the result.
        rng: The source of every random draw.

    Returns:
        uint8 [n, *shape], interpolated linearly, with a narrow black margin.
    """
    count = len(images)

    def weights(size: int, pixels: int) -> npt.NDArray[np.float64]:
        """Shares of an image's `pixels` in the `size` new ones, [n, size, pixels]."""
        place = (np.arange(size) + 0.5) / size - 0.5
        centre = rng.normal(0, 0.03, (count, 1))
        stretch = rng.uniform(0.75, 0.9, (count, 1))
        at = ((place - centre) / stretch + 0.5) * pixels - 0.5
        return np.maximum(0, 1 - np.abs(at[:, :, None] - np.arange(pixels)))

    down, across = map(weights, shape, images.shape[1:])
    levels = down @ images @ across.transpose(0, 2, 1)
    light = rng.uniform(0.7, 1.1, (count, 1, 1))
    return np.rint(np.minimum(255, light * levels * (255 / 16))).astype(np.uint8)


@contextmanager
def _gzip(path: Path) -> Iterator[gzip.GzipFile]:
    # Neither name nor time in the header: equal content gives equal bytes.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        yield file
