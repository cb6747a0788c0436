"""A push directory with a detector that takes a fraction of a second to write."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tests.pipeline.scoring.tiny_served import p_values

LENGTH = 140
THRESHOLD = 1.0


class TinyDetector(tf.Module):
    """Reconstructs a signal as its own half plus `level`; a version is known by its level."""

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = tf.Variable(level, dtype=tf.float32)
        self.normal_errors = tf.Variable(
            np.linspace(0.1, 0.9, 50, dtype=np.float32), shape=[None], trainable=False
        )

    def _serve(self, signal: tf.Tensor) -> dict[str, tf.Tensor]:
        reconstruction = signal * 0.5 + self.level
        deviation = tf.abs(reconstruction - signal)
        error = tf.reduce_mean(deviation, axis=1)
        return {
            "reconstruction": reconstruction,
            "error": error,
            "threshold": tf.fill(tf.shape(error), THRESHOLD),
            "is_anomaly": error > THRESHOLD,
            "p_value": p_values(error, self.normal_errors),
            "contribution": deviation / tf.reduce_sum(deviation, axis=1, keepdims=True),
        }

    def signatures(self) -> dict[str, Any]:
        raw = tf.TensorSpec([None, LENGTH], tf.float32, name="signal")
        serialized = tf.TensorSpec([None], tf.string, name="examples")

        def serve_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
            spec = {"signal": tf.io.FixedLenFeature([LENGTH], tf.float32)}
            return self._serve(tf.io.parse_example(examples, spec)["signal"])

        def encode(signal: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"latent": signal[:, :8] + self.level}

        return {
            "serving_default": tf.function(self._serve, input_signature=[raw]),
            "serve_examples": tf.function(serve_examples, input_signature=[serialized]),
            "encode": tf.function(encode, input_signature=[raw]),
        }


def write_version(directory: Path, level: float) -> Path:
    """Writes a SavedModel with its warm-up requests and returns its folder."""
    return Path(shutil.copytree(_saved(level), directory))


@functools.cache
def _saved(level: float) -> Path:
    """Saving takes ten times as long as copying."""
    parent = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, parent)
    directory = Path(parent, "model")
    module = TinyDetector(level)
    tf.saved_model.save(module, str(directory), signatures=module.signatures())
    path = directory / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir()
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = "serving_default"
    request.inputs["signal"].CopyFrom(tf.make_tensor_proto(np.zeros((1, LENGTH), np.float32)))
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())
    return directory


def push(model_directory: Path, version: int, level: float) -> Path:
    """Makes a version appear by one rename, as the pusher does."""
    hidden = model_directory / f".pushing-{version}"
    hidden.parent.mkdir(parents=True, exist_ok=True)
    write_version(hidden, level)
    return hidden.rename(model_directory / str(version))


def push_broken(model_directory: Path, version: int) -> Path:
    """A version whose weights are gone."""
    directory = push(model_directory, version, 0.0)
    shutil.rmtree(directory / "variables")
    return directory


def signals(count: int, seed: int = 0) -> np.ndarray:
    """float32 [count, LENGTH]."""
    return np.random.default_rng(seed).normal(size=(count, LENGTH)).astype(np.float32)


def example(signal: np.ndarray) -> bytes:
    """A serialized tf.Example."""
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=signal))
    return tf.train.Example(
        features=tf.train.Features(feature={"signal": feature})
    ).SerializeToString()
