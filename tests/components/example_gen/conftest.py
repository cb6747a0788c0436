"""Signals and pictures to ingest, and fixtures that ingest a folder of them."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pipeline_config import ImageData, SignalData
from tests.components.example_gen.ingestion import Splits, execute, fault_of, read_splits

Array = npt.NDArray[np.uint8]
Ingest = Callable[..., Splits]


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    """Ingests a folder of signals; keyword arguments are `SignalData`'s."""

    def run(folder: Path, **settings: Any) -> Splits:
        return read_splits(execute(tmp_path, folder, SignalData(**settings)).uri)

    return run


@pytest.fixture
def ingest_images(tmp_path: Path) -> Ingest:
    """Ingests a folder of 2 x 3 images; keyword arguments are `ImageData`'s."""

    def run(folder: Path, **settings: Any) -> Splits:
        data = ImageData(**{"height": 2, "width": 3, **settings})
        return read_splits(execute(tmp_path, folder, data).uri)

    return run


@pytest.fixture
def signal_fault(ingest: Ingest) -> Callable[..., str]:
    """Returns the line that the user gets to read when `ingest` fails."""
    return lambda folder, **settings: fault_of(lambda: ingest(folder, **settings))


@pytest.fixture
def image_fault(ingest_images: Ingest) -> Callable[..., str]:
    """Returns the line that the user gets to read when `ingest_images` fails."""
    return lambda folder, **settings: fault_of(lambda: ingest_images(folder, **settings))


@pytest.fixture
def rows() -> list[str]:
    """40 rows of 3 samples, half of them normal."""
    samples = np.random.default_rng(5).normal(size=(40, 3))
    return [
        ",".join([*(f"{sample:.8g}" for sample in beat), f"{index % 2}.0"])
        for index, beat in enumerate(samples)
    ]


@pytest.fixture
def idx_bytes() -> Callable[[Array], bytes]:
    """An array as the bytes of an IDX file."""

    def encode(values: Array) -> bytes:
        header = [2048 + values.ndim, *values.shape]
        return b"".join(number.to_bytes(4, "big") for number in header) + values.tobytes()

    return encode


@pytest.fixture
def pictures() -> tuple[Array, Array]:
    """30 images of 2 x 3 pixels and their labels."""
    generator = np.random.default_rng(7)
    images = generator.integers(0, 256, (30, 2, 3), dtype=np.uint8)
    return images, generator.integers(0, 10, 30, dtype=np.uint8)


@pytest.fixture
def write_splits(
    idx_bytes: Callable[[Array], bytes], pictures: tuple[Array, Array]
) -> Callable[[Path], None]:
    """Writes 20 training and 10 eval images; the training pair is compressed."""
    images, labels = pictures

    def write(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        train_images, train_labels = idx_bytes(images[:20]), idx_bytes(labels[:20])
        (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(train_images))
        (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(train_labels))
        (folder / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(images[20:]))
        (folder / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(labels[20:]))

    return write
