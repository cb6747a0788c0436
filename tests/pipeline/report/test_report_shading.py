"""Which part of a signal a report shades."""

from pathlib import Path

import lxml.html
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

from components.threshold_evaluator.config import EvaluationConfig
from pipeline.report.figures import draw_figures
from pipeline.report.findings import Findings
from pipeline.report.shading import shade
from pipeline_config import ThresholdEvaluatorConfig
from tests.components.artifacts import example

LENGTH = 16
ODD = 11


@pytest.mark.parametrize("length", [LENGTH, 1_000])
def test_what_contributes_more_than_an_equal_share_is_shaded(length: int) -> None:
    contribution = np.full(length, 0.5 / length, np.float32)
    contribution[ODD] += 0.5
    axes = Figure().add_subplot()

    shade(axes, contribution, length, "#000000")

    (strip,) = axes.patches
    left = strip.get_x() + 0.5
    assert left <= ODD < left + strip.get_width()
    assert strip.get_facecolor()[3] > 0.1


def test_an_error_that_is_spread_evenly_shades_nothing() -> None:
    axes = Figure().add_subplot()

    shade(axes, np.full(LENGTH, 1 / (2 * LENGTH), np.float32), 2 * LENGTH, "#000000")

    assert not axes.patches


class Flat(tf.Module):
    """Reconstructs zeros; returns each value's share of the error if it explains."""

    def __init__(self, explains: bool) -> None:
        super().__init__()
        self._explains = explains

    def save(self, directory: Path) -> Path:
        spec = tf.TensorSpec([None, LENGTH, 2], tf.float32, name="signal")

        @tf.function(input_signature=[spec])
        def serve(signal: tf.Tensor) -> dict[str, tf.Tensor]:
            deviation = tf.abs(signal)
            error = tf.reduce_mean(deviation, axis=[1, 2])
            outputs = {"reconstruction": signal * 0, "error": error, "is_anomaly": error > 0.5}
            if self._explains:
                total = tf.reduce_sum(deviation, axis=[1, 2], keepdims=True)
                outputs |= {"contribution": deviation / total, "p_value": error * 0 + 0.25}
            return outputs

        tf.saved_model.save(self, str(directory), {"serving_default": serve})
        return directory


@pytest.mark.parametrize("explains", [True, False])
def test_the_odd_part_of_each_beat_is_shown(tmp_path: Path, explains: bool) -> None:
    signals = np.random.default_rng(0).uniform(0.1, 0.3, (8, LENGTH, 2)).astype(np.float32)
    signals[:, ODD, 1] = 5
    labels = np.arange(8, dtype=np.int16) % 2
    records = tmp_path / "examples"
    with tf.io.TFRecordWriter(str(records)) as writer:
        for signal, label in zip(signals, labels, strict=True):
            writer.write(example(signal, label))
    judged = EvaluationConfig(
        feature="signal",
        shape=(LENGTH, 2),
        loss="mae",
        noise=0.0,
        gate=ThresholdEvaluatorConfig(),
    )
    findings = Findings(
        judged=judged,
        evaluation={"threshold": 0.5},
        errors={"eval_error": np.abs(signals).mean(axis=(1, 2)), "eval_label": labels},
        history={},
        model=Flat(explains).save(tmp_path / "model"),
        examples=[records],
        transform_graph=None,
        stage_configs={},
    )

    drawn = draw_figures(findings)

    assert drawn["is_shaded"] == explains
    assert len(drawn["signals"]) == 6
    for figure in map(lxml.html.fromstring, drawn["signals"]):
        label = figure.get("aria-label")
        assert label.endswith(f"Sample {ODD} contributes most to the error.") == explains
        assert (", p 0.25" in label) == explains
