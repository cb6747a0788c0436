"""Two tiny models with the serving signature of what the pipelines push, and files for them."""

import json
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

LENGTH = 12
SHAPE = (4, 5)
THRESHOLD = 0.6
NAMES = ",".join([*(f"v{index}" for index in range(LENGTH)), "label"])


class TinyDetector(tf.Module):
    """Two dense layers with fixed random weights: its sums depend on the batch, as a real one's."""

    def __init__(self, length: int = LENGTH) -> None:
        super().__init__()
        generator = np.random.default_rng(3)
        self.inner = tf.Variable(generator.normal(size=(length, 8)).astype(np.float32))
        self.outer = tf.Variable(generator.normal(size=(8, length)).astype(np.float32) / 8)
        self.threshold = tf.Variable(THRESHOLD, trainable=False)
        self._length = length

    def save(self, directory: Path) -> None:
        spec = tf.TensorSpec([None, self._length], tf.float32, name="signal")

        @tf.function(input_signature=[spec])
        def serve(signal: tf.Tensor) -> dict[str, tf.Tensor]:
            reconstruction = tf.tanh(signal @ self.inner) @ self.outer
            error = tf.reduce_mean(tf.square(reconstruction - signal), axis=1)
            return {
                "reconstruction": reconstruction,
                "error": error,
                "threshold": tf.fill(tf.shape(error), self.threshold),
                "is_anomaly": error > self.threshold,
            }

        tf.saved_model.save(self, str(directory), {"serving_default": serve})


class ExplainingDetector(TinyDetector):
    """The same with what models return since they explain their answers."""

    def __init__(self, normal_errors: npt.NDArray[np.float32]) -> None:
        super().__init__()
        self.normal_errors = tf.Variable(np.sort(normal_errors), shape=[None], trainable=False)

    def save(self, directory: Path) -> None:
        spec = tf.TensorSpec([None, self._length], tf.float32, name="signal")

        @tf.function(input_signature=[spec])
        def serve(signal: tf.Tensor) -> dict[str, tf.Tensor]:
            reconstruction = tf.tanh(signal @ self.inner) @ self.outer
            deviation = tf.square(reconstruction - signal)
            error = tf.reduce_mean(deviation, axis=1)
            return {
                "reconstruction": reconstruction,
                "error": error,
                "threshold": tf.fill(tf.shape(error), self.threshold),
                "is_anomaly": error > self.threshold,
                "p_value": p_values(error, self.normal_errors),
                "contribution": deviation / tf.reduce_sum(deviation, axis=1, keepdims=True),
            }

        tf.saved_model.save(self, str(directory), {"serving_default": serve})


def p_values(error: tf.Tensor, normal_errors: tf.Tensor) -> tf.Tensor:
    """The definition, pair by pair."""
    as_odd = tf.cast(normal_errors[None] >= error[:, None], tf.float32)
    examples = tf.cast(tf.size(normal_errors), tf.float32)
    return (1 + tf.reduce_sum(as_odd, axis=1)) / (examples + 1)


class TinyReconstructor(tf.Module):
    """Returns half of the given image, scaled to 0..1."""

    def save(self, directory: Path) -> None:
        spec = tf.TensorSpec([None, *SHAPE], tf.float32, name="image")

        @tf.function(input_signature=[spec])
        def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
            scaled = image / 255.0
            error = tf.reduce_mean(tf.square(scaled / 2), axis=[1, 2])
            return {"reconstruction": scaled / 2, "error": error}

        tf.saved_model.save(self, str(directory), {"serving_default": serve})


def push(module: tf.Module, models: Path, name: str, version: int) -> Path:
    directory = models / name / str(version)
    module.save(directory)
    return directory


def label_versions(models: Path, name: str, **content: object) -> None:
    (models / name / "versions.json").write_text(json.dumps(content))


def make_signals(rows: int, seed: int = 0, length: int = LENGTH) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(rows, length)).astype(np.float32)


def as_lines(signals: npt.NDArray[np.float32], label: str | None = "1") -> list[str]:
    ends = [] if label is None else [label]
    return [",".join([*(str(value) for value in row), *ends]) for row in signals]


def write_csv(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def read_scores(output: Path) -> pd.DataFrame:
    """The rows of a file, or of a folder of files in the order of their names."""
    files = [output] if output.is_file() else sorted(output.glob(f"part-*{output.suffix}"))
    types = {"error": np.float32, "threshold": np.float32}
    tables = [
        pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file, dtype=types)
        for file in files
    ]
    return pd.concat(tables, ignore_index=True)


def idx_bytes(images: npt.NDArray[np.uint8]) -> bytes:
    return struct.pack(">4i", 2051, *images.shape) + images.tobytes()


def called_directly(
    directory: Path, values: npt.NDArray[np.float32], batch_size: int
) -> dict[str, npt.NDArray[np.generic]]:
    """The outputs of a SavedModel that nothing of ours has loaded or called."""
    model = tf.saved_model.load(str(directory))
    signature = model.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    batches = [
        signature(**{name: tf.constant(values[start : start + batch_size])})
        for start in range(0, len(values), batch_size)
    ]
    return {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
