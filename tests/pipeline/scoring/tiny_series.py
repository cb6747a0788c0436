"""A tiny model of series, files for it, and what the scores of their samples are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from pipeline_config import SignalData, reading_settings
from tests.pipeline.scoring.tiny_served import p_values, push

LENGTH = 8
MODEL = "pump"
THRESHOLD = 1.0


class PumpDetector(tf.Module):
    """Reconstructs zeros; a sample's error is its distance from 0."""

    def __init__(
        self, channels: int = 2, *, is_detector: bool = True, explains: bool = False
    ) -> None:
        super().__init__()
        self.normal_errors = tf.Variable(np.linspace(0.1, 2, 9, dtype=np.float32), shape=[None])
        self._explains = explains
        self.threshold = tf.Variable(THRESHOLD, trainable=False)
        self._shape = [LENGTH, channels] if channels > 1 else [LENGTH]
        self._is_detector = is_detector

    def save(self, directory: Path) -> None:
        spec = tf.TensorSpec([None, *self._shape], tf.float32, name="signal")

        @tf.function(input_signature=[spec])
        def serve(signal: tf.Tensor) -> dict[str, tf.Tensor]:
            by_channel = tf.reduce_mean(tf.abs(signal), axis=1)
            error = by_channel if len(self._shape) == 1 else tf.reduce_mean(by_channel, axis=1)
            outputs = {"reconstruction": tf.zeros_like(signal), "error": error}
            if len(self._shape) > 1:
                outputs["channel_error"] = by_channel
            if self._is_detector:
                outputs["threshold"] = tf.fill(tf.shape(error), self.threshold)
                outputs["is_anomaly"] = error > self.threshold
            if self._explains:
                values = list(range(1, len(self._shape) + 1))
                total = tf.reduce_sum(tf.abs(signal), axis=values, keepdims=True)
                outputs["p_value"] = p_values(error, self.normal_errors)
                outputs["contribution"] = tf.abs(signal) / total
            return outputs

        tf.saved_model.save(self, str(directory), {"serving_default": serve})


def push_series_model(
    models: Path, module: tf.Module | None = None, name: str = MODEL, **data: Any
) -> Path:
    """Pushes a model whose run read series as `data` says."""
    settings = SignalData(
        **{"series": True, "length": LENGTH, "channels": 2, "label": "none", **data}
    )
    directory = push(module or PumpDetector(), models, name, 1)
    manifest = {"reading": json.loads(reading_settings(settings))}
    (directory / "aepipe.json").write_text(json.dumps(manifest))
    return directory


def make_series(samples: int, seed: int = 0) -> npt.NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    return generator.normal(0, 0.5, (samples, 2)).astype(np.float32)


def write_series(
    path: Path, values: npt.NDArray[np.float32], *, seconds: npt.NDArray[np.int64] | None = None
) -> Path:
    """Writes a CSV with a time a sample, a second after the one before."""
    seconds = np.arange(len(values)) if seconds is None else seconds
    times = pd.Timestamp("2026-01-01") + pd.to_timedelta(seconds, unit="s")
    table = pd.DataFrame(values, columns=["flow", "pressure"][: values.shape[1]])
    table.insert(0, "time", times.strftime("%Y-%m-%d %H:%M:%S"))
    table.to_csv(path, index=False)
    return path


def expected_shares(values: npt.NDArray[np.float32], step: int) -> npt.NDArray[np.float64]:
    """The definition: the mean of a sample's shares of the errors of the windows that cover it."""
    starts = list(range(0, len(values) - LENGTH + 1, step))
    if starts[-1] + LENGTH < len(values):
        starts.append(len(values) - LENGTH)
    totals, counts = np.zeros(values.shape), np.zeros((len(values), 1))
    for start in starts:
        window = np.abs(values[start : start + LENGTH])
        totals[start : start + LENGTH] += window / window.sum()
        counts[start : start + LENGTH] += 1
    return totals / counts


def expected_scores(
    values: npt.NDArray[np.float32], step: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The definition: the mean of the errors of the windows that cover a sample."""
    starts = list(range(0, len(values) - LENGTH + 1, step))
    if starts[-1] + LENGTH < len(values):
        starts.append(len(values) - LENGTH)
    totals, counts = np.zeros(len(values)), np.zeros(len(values), np.int64)
    for start in starts:
        totals[start : start + LENGTH] += np.abs(values[start : start + LENGTH]).mean()
        counts[start : start + LENGTH] += 1
    return totals / counts, counts
