"""`anomaly` on a real Flink cluster of two task slots gives what it gives in one process."""

import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from ml_metadata.proto.metadata_store_pb2 import Artifact
from tensorflow_metadata.proto.v0 import statistics_pb2
from tensorflow_transform.saved.saved_transform_io_v2 import SavedModelLoader

from pipeline.runners.local import RunRequest, run_pipelines
from tests.end_to_end.conftest import SHORT_OF, FinishedRun

REPOSITORY = Path(__file__).parents[2]
SLOTS = 2
PORT = 8081
BEAM_STAGES = ["ExampleGen", "StatisticsGen", "Transform", "ThresholdEvaluator"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def flink_sh(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "scripts/flink.sh", command],
        cwd=REPOSITORY,
        env=os.environ | {"FLINK_SLOTS": str(SLOTS), "FLINK_PORT": str(PORT)},
        capture_output=True,
        text=True,
    )


def cluster(path: str) -> Any:
    with urllib.request.urlopen(f"http://localhost:{PORT}/{path}") as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def flink(flink_job_server: Path) -> Iterator[str]:
    """Address of the cluster that `make flink` starts; one that runs is taken and left running."""
    was_running = flink_sh("status").returncode == 0
    started = flink_sh("start")
    assert started.returncode == 0, started.stderr
    yield f"localhost:{PORT}"
    if not was_running:
        flink_sh("stop")


@pytest.fixture(scope="module")
def in_process(small_sample: Path, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    return run_anomaly(small_sample, tmp_path_factory.mktemp("in-process"))


@pytest.fixture(scope="module")
def on_flink(
    flink: str, small_sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> FinishedRun:
    before = cluster("overview")["jobs-finished"]
    run = run_anomaly(
        small_sample,
        tmp_path_factory.mktemp("flink"),
        beam_profile="flink",
        beam_args=(f"--flink_master={flink}", f"--parallelism={SLOTS}"),
    )
    overview = cluster("overview")
    assert overview["slots-total"] >= SLOTS
    assert overview["jobs-finished"] - before >= len(BEAM_STAGES)
    assert overview["jobs-failed"] == 0
    return run


def run_anomaly(data: Path, home: Path, **beam: Any) -> FinishedRun:
    os.environ["AEPIPE_OFFLINE"] = "1"
    request = RunRequest(
        names=("anomaly",), home=home, data_dir=data, settings=SHORT_OF["anomaly"], **beam
    )
    (outcome,) = run_pipelines(request, sys.stderr)
    assert outcome.status == "pushed", outcome.reasons
    return FinishedRun(request, outcome)


def records(examples: Artifact, split: str) -> Counter[bytes]:
    """Serialized tf.Examples of a split, each with its features in the order of their names."""
    files = sorted(str(path) for path in Path(examples.uri, f"Split-{split}").iterdir())
    return Counter(
        tf.train.Example.FromString(record).SerializeToString(deterministic=True)
        for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
    )


@pytest.mark.parametrize("split", ["train", "eval"])
@pytest.mark.parametrize(
    ("stage", "key"), [("ExampleGen", "examples"), ("Transform", "transformed_examples")]
)
def test_the_same_examples_in_each_split(
    in_process: FinishedRun, on_flink: FinishedRun, stage: str, key: str, split: str
) -> None:
    expected = records(in_process.artifact(stage, key), split)
    assert expected
    assert records(on_flink.artifact(stage, key), split) == expected


@pytest.mark.parametrize("split", ["train", "eval"])
def test_the_same_statistics(in_process: FinishedRun, on_flink: FinishedRun, split: str) -> None:
    numbers, texts = statistics(in_process, split)
    on_flink_numbers, on_flink_texts = statistics(on_flink, split)
    assert {"label", "signal", "example_id"} <= set(texts.values())
    assert on_flink_texts == texts
    assert on_flink_numbers == pytest.approx(numbers, rel=1e-6, abs=1e-9)


def statistics(run: FinishedRun, split: str) -> tuple[dict[str, float], dict[str, str]]:
    """Numbers and texts of TFDV's proto by their place in it, features in the order of names."""
    uri = run.artifact("StatisticsGen", "statistics").uri
    read = statistics_pb2.DatasetFeatureStatisticsList()
    read.ParseFromString(Path(uri, f"Split-{split}", "FeatureStats.pb").read_bytes())
    for dataset in read.datasets:
        dataset.features.sort(key=lambda feature: tuple(feature.path.step))
    found = dict(leaves(read, split))
    numbers = {place: value for place, value in found.items() if not isinstance(value, str)}
    return numbers, {place: value for place, value in found.items() if isinstance(value, str)}


def leaves(message: Message, place: str) -> Iterator[tuple[str, Any]]:
    for field, value in message.ListFields():
        values = value if field.label == FieldDescriptor.LABEL_REPEATED else [value]
        for number, one in enumerate(values):
            here = f"{place}.{field.name}[{number}]"
            if isinstance(one, Message):
                yield from leaves(one, here)
            else:
                yield here, one


def test_the_same_minimum_and_maximum(in_process: FinishedRun, on_flink: FinishedRun) -> None:
    expected = scaled_zero_and_one(in_process)
    assert expected[0] != expected[1]
    np.testing.assert_array_equal(scaled_zero_and_one(on_flink), expected)


def scaled_zero_and_one(run: FinishedRun) -> np.ndarray:
    """What Transform makes of 0 and 1; the line through them gives min and max."""
    output = tft.TFTransformOutput(run.artifact("Transform", "transform_graph").uri)
    raw = {
        "signal": tf.stack([tf.zeros(140), tf.ones(140)]),
        "label": tf.ones([2, 1], tf.int64),
        "example_id": tf.constant([["a"], ["b"]]),
    }
    loader = SavedModelLoader(output.transform_savedmodel_dir)
    scaled: np.ndarray = loader.apply_transform_model(raw)["target"].numpy()
    return scaled[:, 0]


def test_the_same_threshold(in_process: FinishedRun, on_flink: FinishedRun) -> None:
    assert in_process.outcome.threshold is not None
    assert on_flink.outcome.threshold == pytest.approx(in_process.outcome.threshold, abs=1e-6)
    assert on_flink.outcome.metrics == pytest.approx(in_process.outcome.metrics, abs=1e-6)
