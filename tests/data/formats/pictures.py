"""Folders of pictures for tests."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image


def write_pictures(
    root: Path, counts: Mapping[str, int], shape: tuple[int, int] = (6, 5), suffix: str = "png"
) -> dict[str, npt.NDArray[np.uint8]]:
    """Writes so many pictures of noise into each folder and returns their pixels by path."""
    random = np.random.default_rng(1)
    written = {}
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = random.integers(0, 256, shape, dtype=np.uint8)
            path = root / folder / f"{number:06d}.{suffix}"
            Image.fromarray(pixels).save(path)
            written[str(path)] = pixels
    return written
