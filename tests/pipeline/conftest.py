"""Real runs on small made-up data, shared by the tests of what is reported about a run."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from components.schema import SCHEMA_DIRECTORY
from pipeline.home import Home
from pipeline.run.outcome import RunOutcome
from pipeline.runners.local import RunRequest, run_pipelines
from tests.pipeline.webhook_server import Webhook

LENGTH = 16
SIZE = 8


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A webhook that keeps what is posted to it."""
    with Webhook.serving() as server:
        yield server


def write_waves(directory: Path, rows: int = 400, spike: float | None = None) -> Path:
    """Sines are normal, square waves are not; `spike` takes the place of one value."""
    generator = np.random.default_rng(0)
    label = np.arange(rows) % 2
    phase = np.linspace(0, 2 * np.pi, LENGTH)[None]
    wave = np.where(label[:, None] == 1, np.sin(phase), 2 * np.sign(np.cos(phase)))
    signal = wave + generator.normal(scale=0.1, size=(rows, LENGTH))
    if spike is not None:
        signal[3, 1] = spike
    directory.mkdir(parents=True)
    np.savetxt(directory / "ecg.csv", np.column_stack([signal, label]), delimiter=",", fmt="%.6g")
    return directory


def write_squares(directory: Path) -> Path:
    """IDX pairs of images with one bright square, whose corner is the class."""
    generator = np.random.default_rng(0)
    directory.mkdir(parents=True)
    for split, count in (("train", 200), ("t10k", 60)):
        labels = np.arange(count, dtype=np.uint8) % 4
        images = generator.integers(0, 40, (count, SIZE, SIZE), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            row, column = divmod(int(label), 2)
            image[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4] += 200
        header = struct.pack(">4i", 2051, count, SIZE, SIZE)
        (directory / f"{split}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = struct.pack(">2i", 2049, count)
        (directory / f"{split}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    return directory


def run_once(pipeline: str, home: Home, data: Path, *settings: str) -> RunOutcome:
    request = RunRequest(names=(pipeline,), home=home.root, data_dir=data, settings=settings)
    (outcome,) = run_pipelines(request, human_output=io.StringIO())
    return outcome


WAVES = (
    f"data.length={LENGTH}",
    "trainer.batch_size=16",
    "trainer.epochs=8",
)
SQUARES = (
    f"data.height={SIZE}",
    f"data.width={SIZE}",
    "trainer.epochs=2",
    # A server takes long to start, and nothing here is about it.
    "infra_validator.enabled=false",
)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home with a space"))


@pytest.fixture(scope="session")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_waves(tmp_path_factory.mktemp("waves") / "ecg")


@pytest.fixture(scope="session")
def pushed(home: Home, waves: Path) -> RunOutcome:
    return run_once("anomaly", home, waves, *WAVES)


@pytest.fixture(scope="session")
def unchanged(home: Home, waves: Path, pushed: RunOutcome) -> RunOutcome:
    return run_once("anomaly", home, waves, *WAVES)


@pytest.fixture(scope="session")
def not_blessed(home: Home, waves: Path, unchanged: RunOutcome) -> RunOutcome:
    # Trained anew, so that there is an earlier blessed model to compare with.
    changes = ("trainer.epochs=7", "evaluator.lower_bounds.recall=1.0", "evaluator.threshold_k=0")
    return run_once("anomaly", home, waves, *WAVES, *changes)


@pytest.fixture(scope="session")
def data_refused(
    home: Home, tmp_path_factory: pytest.TempPathFactory, not_blessed: RunOutcome
) -> RunOutcome:
    spiked = tmp_path_factory.mktemp("spiked")
    write_waves(spiked / "ecg" / "span-3" / "version-2", spike=1e9)
    pattern = "data.pattern=span-{SPAN}/version-{VERSION}/*.csv"
    # Waves are no beats of 140 samples, so the curated range does not count by itself.
    schema = f"data.schema={SCHEMA_DIRECTORY / 'signal.pbtxt'}"
    return run_once("anomaly", home, spiked, *WAVES, pattern, schema)


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_squares(tmp_path_factory.mktemp("squares") / "fashion_mnist")
