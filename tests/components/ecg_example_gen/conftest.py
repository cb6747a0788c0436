"""A CSV folder goes in, the examples that the executor wrote come out."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import message
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.ecg_example_gen.component import ecg_example_gen
from components.ecg_example_gen.executor import EcgExampleGenExecutor
from pipeline_config import SignalData, UserInputError

# The second argument keeps TFX from packing its own source for remote workers.
BEAM_ARGS = ["--runner=FnApiRunner", "--sdk_container_image=none"]


class Beat(NamedTuple):
    """One ingested example."""

    signal: tuple[float, ...]
    label: int
    example_id: str


Splits = dict[str, set[Beat]]
Ingest = Callable[..., Splits]


def read_beats(uri: str) -> Splits:
    return {split: set(_read_split(Path(uri, f"Split-{split}"))) for split in ("train", "eval")}


def _read_split(folder: Path) -> Iterator[Beat]:
    files = sorted(str(path) for path in folder.iterdir())
    for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        (label,) = features["label"].int64_list.value
        (example_id,) = features["example_id"].bytes_list.value
        yield Beat(tuple(features["signal"].float_list.value), label, example_id.decode())


@pytest.fixture
def beam_args() -> list[str]:
    return list(BEAM_ARGS)


@pytest.fixture
def read_splits() -> Callable[[str], Splits]:
    """Reads the examples of an Examples artifact's URI."""
    return read_beats


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    """Runs the executor over a folder; keyword arguments are `SignalData`'s."""

    def run(folder: Path, **settings: Any) -> Splits:
        component = ecg_example_gen(str(folder), SignalData(**settings), fingerprint="test")
        exec_properties = {
            key: proto_utils.proto_to_json(value) if isinstance(value, message.Message) else value
            for key, value in component.spec.exec_properties.items()
        }
        examples = standard_artifacts.Examples()
        examples.uri = str(tmp_path / "examples" / str(len(list(tmp_path.glob("examples/*")))))
        context = BaseBeamExecutor.Context(beam_pipeline_args=BEAM_ARGS, tmp_dir=str(tmp_path))
        EcgExampleGenExecutor(context).Do({}, {"examples": [examples]}, exec_properties)
        return read_beats(examples.uri)

    return run


@pytest.fixture
def fault_of(ingest: Ingest) -> Callable[..., str]:
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


@pytest.fixture
def rows() -> list[str]:
    """40 rows of 3 samples, half of them normal."""
    samples = np.random.default_rng(5).normal(size=(40, 3))
    return [
        ",".join([*(f"{sample:.8g}" for sample in beat), f"{index % 2}.0"])
        for index, beat in enumerate(samples)
    ]
