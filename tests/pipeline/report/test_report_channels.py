"""The figures of signals of several channels."""

from pathlib import Path

import lxml.html
import numpy as np
import pytest
import tensorflow as tf

from components.threshold_evaluator.config import EvaluationConfig
from pipeline.report.figures import CHANNELS, draw_figures
from pipeline.report.findings import Findings
from pipeline_config import ThresholdEvaluatorConfig
from tests.components.artifacts import example

LENGTH = 16


class Halver(tf.Module):
    """Reconstructs a signal as its own half."""

    def save(self, directory: Path, channels: int) -> Path:
        spec = tf.TensorSpec([None, LENGTH, channels], tf.float32, name="signal")

        @tf.function(input_signature=[spec])
        def serve(signal: tf.Tensor) -> dict[str, tf.Tensor]:
            error = tf.reduce_mean(tf.abs(signal) / 2, axis=[1, 2])
            return {"reconstruction": signal / 2, "error": error, "is_anomaly": error > 0.5}

        tf.saved_model.save(self, str(directory), {"serving_default": serve})
        return directory


def findings(folder: Path, channels: int) -> Findings:
    signals = np.random.default_rng(0).normal(size=(8, LENGTH, channels)).astype(np.float32)
    labels = np.arange(8, dtype=np.int16) % 2
    records = folder / "examples"
    with tf.io.TFRecordWriter(str(records)) as writer:
        for signal, label in zip(signals, labels, strict=True):
            writer.write(example(signal, label))
    error = np.abs(signals).mean(axis=(1, 2)) / 2
    return Findings(
        judged=EvaluationConfig(
            feature="signal",
            shape=(LENGTH, channels),
            loss="mae",
            noise=0.0,
            gate=ThresholdEvaluatorConfig(),
        ),
        evaluation={"threshold": 0.5},
        errors={"eval_error": error, "eval_label": labels},
        history={},
        model=Halver().save(folder / "model", channels),
        examples=[records],
        transform_graph=None,
        stage_configs={},
    )


@pytest.mark.parametrize("channels", [3, CHANNELS + 2])
def test_each_channel_has_axes_of_its_own(tmp_path: Path, channels: int) -> None:
    drawn = draw_figures(findings(tmp_path, channels))

    assert drawn["images"] is None
    assert len(drawn["signals"]) == 6
    shown = min(channels, CHANNELS)
    for figure in map(lxml.html.fromstring, drawn["signals"]):
        content = " ".join(figure.text_content().split())
        assert [f"channel {number}" in content for number in range(shown)] == [True] * shown
        assert f"channel {shown}" not in content
        label = figure.get("aria-label")
        assert label.startswith(f"Line chart: a signal of {channels} channels")
        assert ("(the first 6)" in label) == (shown < channels)
