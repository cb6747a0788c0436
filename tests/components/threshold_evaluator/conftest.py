"""Real artifacts of two tiny models that have the trainer's signatures and attributes."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import (
    Examples,
    Model,
    ModelBlessing,
    ModelEvaluation,
    TransformGraph,
)
from tfx.utils import path_utils

from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.executor import Executor


class FlatLineDetector(tf.Module):
    """Reconstructs every signal as a flat line, so its error is the distance from that line."""

    def __init__(self, level: float, length: int) -> None:
        super().__init__()
        self.level = tf.Variable(level)
        self.model_variables = [self.level]
        self.threshold = tf.Variable(np.inf, trainable=False, dtype=tf.float32)
        self._length = length

    def save(self, directory: str) -> None:
        signals = tf.TensorSpec([None, self._length], tf.float32, name="signal")
        noise = tf.TensorSpec([None, self._length], tf.float32, name="noise")

        @tf.function(input_signature=[signals])
        def serve(signal: tf.Tensor) -> dict[str, tf.Tensor]:
            error = tf.reduce_mean(tf.abs(signal - self.level), axis=1)
            return {
                "reconstruction": tf.zeros_like(signal) + self.level,
                "error": error,
                "threshold": tf.zeros_like(error) + self.threshold,
                "is_anomaly": error > self.threshold,
            }

        @tf.function(input_signature=[signals, noise])
        def score(signal: tf.Tensor, noise: tf.Tensor) -> dict[str, tf.Tensor]:
            return {
                "error": tf.reduce_mean(tf.abs(signal - self.level), axis=1),
                "noisy_error": tf.reduce_mean(tf.abs(noise), axis=1),
            }

        tf.saved_model.save(self, directory, {"serving_default": serve, "score": score})


class DimmingReconstructor(tf.Module):
    """Returns the given image times a gain: with gain 1, exactly what it was given."""

    def __init__(self, gain: float, shape: tuple[int, int]) -> None:
        super().__init__()
        self.gain = tf.Variable(gain)
        self.model_variables = [self.gain]
        self._shape = shape

    def save(self, directory: str) -> None:
        images = tf.TensorSpec([None, *self._shape], tf.float32, name="image")
        noise = tf.TensorSpec([None, *self._shape], tf.float32, name="noise")

        @tf.function(input_signature=[images, noise])
        def score(image: tf.Tensor, noise: tf.Tensor) -> dict[str, tf.Tensor]:
            scaled = image / 255.0
            given = scaled + noise
            return {
                "error": tf.reduce_mean(tf.square(given * self.gain - scaled), axis=[1, 2]),
                "noisy_error": tf.reduce_mean(tf.square(given - scaled), axis=[1, 2]),
            }

        tf.saved_model.save(self, directory, {"score": score})


def signal_example(signal: np.ndarray, label: int) -> bytes:
    feature = {
        "signal": tf.train.Feature(float_list=tf.train.FloatList(value=signal)),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def image_example(image: np.ndarray, label: int) -> bytes:
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write_shards(examples: Artifact, split: str, shards: Sequence[Sequence[bytes]]) -> None:
    directory = Path(examples.uri, f"Split-{split}")
    directory.mkdir(parents=True)
    for number, records in enumerate(shards):
        path = directory / f"data_tfrecord-{number:05d}-of-{len(shards):05d}.gz"
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for record in records:
                writer.write(record)


class Bench:
    """Runs the executor on artifacts below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._artifacts = 0
        self.examples = self.artifact(Examples)
        self.examples.split_names = artifact_utils.encode_split_names(["train", "eval"])
        self.transform_graph = self.artifact(TransformGraph)

    def artifact(self, kind: type[Artifact]) -> Any:
        self._artifacts += 1
        artifact = kind()
        artifact.id = self._artifacts
        artifact.uri = str(self._folder / f"{kind.TYPE_NAME}-{artifact.id}")
        Path(artifact.uri).mkdir(parents=True)
        return artifact

    def signals(self, split: str, *shards: tuple[np.ndarray, np.ndarray]) -> None:
        records = [
            [signal_example(s, int(y)) for s, y in zip(*shard, strict=True)] for shard in shards
        ]
        write_shards(self.examples, split, records)

    def images(self, split: str, *shards: tuple[np.ndarray, np.ndarray]) -> None:
        records = [
            [image_example(s, int(y)) for s, y in zip(*shard, strict=True)] for shard in shards
        ]
        write_shards(self.examples, split, records)

    def detector(self, *, level: float, length: int, threshold: float = np.inf) -> Artifact:
        artifact = self.artifact(Model)
        module = FlatLineDetector(level, length)
        module.threshold.assign(threshold)
        module.save(path_utils.serving_model_dir(artifact.uri))
        return artifact

    def reconstructor(self, *, gain: float, shape: tuple[int, int]) -> Artifact:
        artifact = self.artifact(Model)
        DimmingReconstructor(gain, shape).save(path_utils.serving_model_dir(artifact.uri))
        return artifact

    def evaluate(
        self, config: EvaluationConfig, model: Artifact, baseline: Artifact | None = None
    ) -> "Result":
        outputs = {
            "evaluation": [self.artifact(ModelEvaluation)],
            "blessing": [self.artifact(ModelBlessing)],
            "judged_model": [self.artifact(Model)],
        }
        inputs = {
            "examples": [self.examples],
            "transform_graph": [self.transform_graph],
            "model": [model],
        }
        if baseline is not None:
            inputs["baseline_model"] = [baseline]
        context = Executor.Context(
            beam_pipeline_args=["--runner=FnApiRunner"],
            tmp_dir=str(self._folder / "tmp"),
            unique_id=str(self._artifacts),
        )
        Executor(context).Do(inputs, outputs, {"config": config.to_json(), "fingerprint": ""})
        return Result(**{key: artifacts[0] for key, artifacts in outputs.items()})


class Result:
    """What one evaluation wrote."""

    def __init__(self, evaluation: Artifact, blessing: Artifact, judged_model: Artifact) -> None:
        self.blessing = blessing
        self.judged_model = judged_model
        self.evaluation = json.loads(Path(evaluation.uri, "evaluation.json").read_text())
        with np.load(Path(evaluation.uri, "errors.npz")) as errors:
            self.errors = {name: errors[name] for name in errors.files}

    def load(self) -> Any:
        return tf.saved_model.load(path_utils.serving_model_dir(self.judged_model.uri))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


Beats = Callable[..., tuple[np.ndarray, np.ndarray]]


@pytest.fixture
def beats() -> Beats:
    """Makes signals around 0.5, the anomalies (label 0) farther from it than the normal ones."""

    def make(*, normal: int, anomalies: int, seed: int, length: int = 12) -> Any:
        random = np.random.default_rng(seed)
        spread = np.r_[np.full(normal, 0.1), np.full(anomalies, 0.2)][:, None]
        signals = 0.5 + spread * random.normal(size=(normal + anomalies, length))
        labels = np.r_[np.ones(normal, int), np.zeros(anomalies, int)]
        order = random.permutation(len(labels))
        return signals[order].astype(np.float32), labels[order]

    return make
