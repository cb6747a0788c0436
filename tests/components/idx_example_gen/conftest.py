"""A folder of IDX files goes in, the examples that the executor wrote come out."""

import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from google.protobuf import message
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.idx_example_gen.component import idx_example_gen
from components.idx_example_gen.executor import IdxExampleGenExecutor
from pipeline_config import ImageData, UserInputError

# The second argument keeps TFX from packing its own source for remote workers.
BEAM_ARGS = ["--runner=FnApiRunner", "--sdk_container_image=none"]

Array = npt.NDArray[np.uint8]


class Picture(NamedTuple):
    """One ingested example."""

    image: bytes
    label: int
    example_id: str


Splits = dict[str, set[Picture]]


def read_pictures(uri: str) -> Splits:
    return {split: set(_read_split(Path(uri, f"Split-{split}"))) for split in ("train", "eval")}


def _read_split(folder: Path) -> Iterator[Picture]:
    files = sorted(str(path) for path in folder.iterdir())
    for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        (image,) = features["image"].bytes_list.value
        (label,) = features["label"].int64_list.value
        (example_id,) = features["example_id"].bytes_list.value
        yield Picture(image, label, example_id.decode())


@pytest.fixture
def beam_args() -> list[str]:
    return list(BEAM_ARGS)


@pytest.fixture
def read_splits() -> Callable[[str], Splits]:
    """Reads the examples of an Examples artifact's URI."""
    return read_pictures


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


@pytest.fixture
def ingest(tmp_path: Path) -> Callable[..., Splits]:
    """Runs the executor over a folder of 2 x 3 images; keyword arguments are `ImageData`'s."""

    def run(folder: Path, **settings: Any) -> Splits:
        data = ImageData(**{"height": 2, "width": 3, **settings})
        component = idx_example_gen(str(folder), data, fingerprint="test")
        exec_properties = {
            key: proto_utils.proto_to_json(value) if isinstance(value, message.Message) else value
            for key, value in component.spec.exec_properties.items()
        }
        examples = standard_artifacts.Examples()
        examples.uri = str(tmp_path / "examples")
        context = BaseBeamExecutor.Context(beam_pipeline_args=BEAM_ARGS, tmp_dir=str(tmp_path))
        IdxExampleGenExecutor(context).Do({}, {"examples": [examples]}, exec_properties)
        return read_pictures(examples.uri)

    return run


@pytest.fixture
def fault_of(ingest: Callable[..., Splits]) -> Callable[..., str]:
    """Returns the line that the user gets to read when ingestion fails."""

    def run(folder: Path, **settings: Any) -> str:
        try:
            ingest(folder, **settings)
        except UserInputError as error:
            return str(error)
        except RuntimeError as error:
            # Beam hands on the text of what a worker raised.
            found = re.search(r"UserInputError: (.*?)(?: \[while running.*)?$", str(error), re.M)
            if not found:
                raise
            return found[1]
        raise AssertionError("ingestion did not fail")

    return run
