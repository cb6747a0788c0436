"""Synthetic grey garments in the layout of the Fashion-MNIST files (gzip-compressed IDX)."""

import gzip
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data.garment_shapes import CLASSES, Canvas, Floats, Garment

IMAGES_MAGIC = 2051
LABELS_MAGIC = 2049

Pixels = npt.NDArray[np.uint8]

_PIXELS_A_BLOCK = 2**19


def blocks(
    count: int, height: int, width: int, rng: np.random.Generator
) -> Iterator[tuple[Pixels, npt.NDArray[np.uint8]]]:
    """Yields images uint8 [n, height, width] and labels uint8 [n], all classes in equal shares."""
    labels = (np.arange(count) % len(CLASSES)).astype(np.uint8)
    rng.shuffle(labels)
    a_block = max(1, _PIXELS_A_BLOCK // (height * width))
    for start in range(0, count, a_block):
        chosen = labels[start : start + a_block]
        yield garments(chosen, height, width, rng), chosen


def garments(
    labels: npt.NDArray[np.uint8], height: int, width: int, rng: np.random.Generator
) -> Pixels:
    """Draws one garment for each label.

    Args:
        labels: Fashion-MNIST classes 0..9, uint8 [n].
        height: Rows of an image.
        width: Columns of an image.
        rng: The source of every random draw.

    Returns:
        uint8 [n, height, width]; the background is 0.
    """
    images = np.zeros((len(labels), height, width), np.uint8)
    for label, outline in enumerate(CLASSES):
        places = np.flatnonzero(labels == label)
        if len(places):
            canvas = _canvas(len(places), height, width, rng)
            images[places] = _paint(canvas, outline(canvas), 2 / min(height, width))
    return images


def write_idx(
    images_path: Path,
    labels_path: Path,
    *,
    count: int,
    height: int,
    width: int,
    rng: np.random.Generator,
) -> None:
    """Writes one split as a pair of gzip-compressed IDX files.

    The same arguments and state of `rng` give the same bytes. Memory does not grow with
    `count`, but for a byte a label.
    """
    with _gzip(images_path) as images, _gzip(labels_path) as labels:
        images.write(struct.pack(">4I", IMAGES_MAGIC, count, height, width))
        labels.write(struct.pack(">2I", LABELS_MAGIC, count))
        for block, classes in blocks(count, height, width, rng):
            images.write(block.tobytes())
            labels.write(classes.tobytes())


@contextmanager
def _gzip(path: Path) -> Iterator[gzip.GzipFile]:
    # Neither name nor time in the header: equal content gives equal bytes.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        yield file


def _canvas(count: int, height: int, width: int, rng: np.random.Generator) -> Canvas:
    """Pixel centres on garments of varying size, tilt and place."""
    across = ((np.arange(width, dtype=np.float32) + 0.5) * 2 / width - 1)[None, None, :]
    down = ((np.arange(height, dtype=np.float32) + 0.5) * 2 / height - 1)[None, :, None]

    def each(values: npt.NDArray[np.float64]) -> Floats:
        return values.astype(np.float32)[:, None, None]

    tilt = each(np.radians(rng.normal(0, 3, count)))
    size_u, size_v = each(rng.uniform(0.92, 1.1, count)), each(rng.uniform(0.92, 1.05, count))
    move_u, move_v = each(rng.normal(0, 0.03, count)), each(rng.normal(0, 0.03, count))
    x, y = across - move_u, down - move_v
    u = (np.cos(tilt) * x + np.sin(tilt) * y) / size_u
    v = (np.cos(tilt) * y - np.sin(tilt) * x) / size_v
    return Canvas(u, v, rng)


def _paint(on: Canvas, garment: Garment, pixel: float) -> Pixels:
    """Cloth, folds and shaded edges under an anti-aliased outline."""
    cover = np.clip(0.5 - garment.distance / pixel, 0, 1)
    inside = np.clip(-garment.distance / 0.15, 0, 1)
    folds = np.sin(on.u * on.between(2, 9) + on.v * on.between(-2, 2) + on.between(0, 6.3))
    cloth = on.between(0.35, 1.05) * (1 + on.between(0, 0.12) * folds) * _pattern(on)
    edge = 1 - on.between(0, 0.35) * (1 - inside)
    grain = 1 + on.between(0.0, 0.06) * on.rng.standard_normal(on.u.shape, np.float32)
    bright = np.clip(cloth * edge * grain * garment.tone, 0.02, 1)
    return np.rint(255 * cover * bright).astype(np.uint8)


def _pattern(on: Canvas) -> Floats:
    """Stripes or checks on some garments, a print on others: factors [n, height, width]."""
    turn = np.where(on.chance(0.7), on.between(-0.1, 0.1), on.between(1.4, 1.7))
    along = np.cos(turn) * on.v + np.sin(turn) * on.u
    athwart = np.sin(turn) * on.v - np.cos(turn) * on.u
    pitch = on.between(6, 16)
    stripes = np.sin(along * pitch)
    checks = stripes * np.sin(athwart * pitch)
    woven = np.where(on.chance(0.3), checks, stripes)
    depth = np.where(on.chance(0.2), on.between(0.1, 0.35), np.float32(0))
    printed = np.maximum(np.abs(on.u), np.abs(on.v + 0.15) * 1.2) < on.between(0.12, 0.26)
    motif = np.where(printed & on.chance(0.1), on.between(0.5, 1.6), np.float32(1))
    return (1 + depth * woven) * motif
