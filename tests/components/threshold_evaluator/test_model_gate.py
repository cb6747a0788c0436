"""Sentences of the gate, and metrics at their edges."""

from typing import Any

import numpy as np
import pytest

from components.threshold_evaluator.bounds import bounds_in_force, broken_bounds
from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.metrics import detector_metrics, reconstruction_metrics
from components.threshold_evaluator.scores import Scores
from components.threshold_evaluator.verdict import judge, worse_than_baseline
from pipeline_config import ANOMALY, EvaluatorConfig, ThresholdEvaluatorConfig

SETTING = "(your setting evaluator.lower_bounds.{})".format


def scores(error: list[float], label: list[int]) -> Scores:
    errors = np.array(error, np.float32)
    return Scores(errors, np.array(label, np.int16), errors)


@pytest.mark.parametrize(
    ("bounds", "metrics", "sentences"),
    [
        ({"lower_bounds": {"accuracy": 0.85}}, {"accuracy": 0.85}, []),
        (
            {"lower_bounds": {"accuracy": 0.85}},
            {"accuracy": 0.712},
            ["accuracy 0.712 is below the lower bound 0.85 " + SETTING("accuracy")],
        ),
        (
            {"lower_bounds": {"accuracy": 0.85}},
            {"accuracy": 0.8499996},
            ["accuracy 0.8499996 is below the lower bound 0.85 " + SETTING("accuracy")],
        ),
        (
            {"upper_bounds": {"val_loss": 0.02}},
            {"val_loss": 0.5},
            [
                "val_loss 0.5 is above the upper bound 0.02 "
                "(your setting evaluator.upper_bounds.val_loss)"
            ],
        ),
        (
            {"lower_bounds": {"anomaly_recall": 0.75, "roc_auc": 0.85}},
            {"anomaly_recall": 0.07, "roc_auc": 0.35},
            [
                f"anomaly_recall 0.07 is below the lower bound 0.75 {SETTING('anomaly_recall')}: "
                "too few of the anomalies are found; a lower evaluator.threshold_k finds more",
                f"roc_auc 0.35 is below the lower bound 0.85 {SETTING('roc_auc')}: anomalies are "
                "reconstructed nearly as well as normal examples, so no threshold separates them",
            ],
        ),
        (
            {"lower_bounds": {"f1": 0.5}, "upper_bounds": {"val_loss": 0.02}},
            {"f1": None, "val_loss": 1.0},
            [
                f"f1 is undefined, so it cannot be held against its bound 0.5 {SETTING('f1')}",
                "val_loss 1 is above the upper bound 0.02 "
                "(your setting evaluator.upper_bounds.val_loss)",
            ],
        ),
    ],
)
def test_bounds(bounds: Any, metrics: Any, sentences: list[str]) -> None:
    gate = ThresholdEvaluatorConfig(**bounds)
    in_force = bounds_in_force(gate, metrics, is_tutorial=False)
    assert list(broken_bounds(metrics, in_force, scores([], []), gate)) == sentences


@pytest.mark.parametrize(
    ("metric", "candidate", "baseline", "sentences"),
    [
        ("f1", 0.86, 0.9, []),
        ("f1", 0.95, 0.9, []),
        (
            "f1",
            0.8,
            0.9,
            ["f1 0.8 is worse than the baseline's 0.9 by more than the tolerance of 0.05 x 0.9"],
        ),
        ("val_loss", 0.0104, 0.01, []),
        ("val_loss", 0.001, 0.01, []),
        (
            "val_loss",
            0.02,
            0.01,
            [
                "val_loss 0.02 is worse than the baseline's 0.01 "
                "by more than the tolerance of 0.05 x 0.01"
            ],
        ),
        ("f1", None, 0.9, ["f1 is undefined, while the baseline's is 0.9"]),
        ("f1", 0.1, None, []),
    ],
)
def test_baseline(
    metric: str, candidate: float | None, baseline: float | None, sentences: list[str]
) -> None:
    gate = ThresholdEvaluatorConfig(baseline_metric=metric, baseline_tolerance=0.05)
    found = worse_than_baseline({metric: candidate}, {metric: baseline}, gate, metric)
    assert list(found) == sentences


def test_a_negative_gain_is_compared_by_its_size() -> None:
    gate = EvaluatorConfig(baseline_metric="psnr_gain_db", baseline_tolerance=0.1)
    baseline = {"psnr_gain_db": -2.0}
    assert not list(worse_than_baseline({"psnr_gain_db": -2.1}, baseline, gate, "psnr_gain_db"))
    assert list(worse_than_baseline({"psnr_gain_db": -2.3}, baseline, gate, "psnr_gain_db"))


def test_nothing_called_normal_leaves_precision_undefined() -> None:
    metrics = detector_metrics(scores([2.0, 3.0], [1, 0]), threshold=1.0)
    assert metrics["precision"] is None
    assert metrics["recall"] == 0.0
    assert metrics["accuracy"] == 0.5


def test_an_error_equal_to_the_threshold_is_normal() -> None:
    metrics = detector_metrics(scores([0.1, 0.2], [1, 0]), threshold=float(np.float32(0.1)))
    assert metrics["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("is_tutorial", "missed"), [(True, ["anomaly_recall", "roc_auc"]), (False, ["roc_auc"])]
)
def test_a_model_that_calls_everything_normal_is_not_blessed_by_default(
    is_tutorial: bool, missed: list[str]
) -> None:
    """14 anomalies of 350: accuracy, precision and recall are above the tutorial's bounds."""
    errors = np.random.default_rng(0).normal(1.0, 0.1, 350).astype(np.float32)
    blind = Scores(errors, np.r_[np.zeros(14), np.ones(336)].astype(np.int16), errors)
    metrics = detector_metrics(blind, threshold=2.0)
    assert metrics["anomaly_recall"] == 0.0
    bounds = bounds_in_force(ANOMALY.evaluator, metrics, is_tutorial=is_tutorial)
    reasons = list(broken_bounds(metrics, bounds, blind, ANOMALY.evaluator))
    assert [reason.partition(" ")[0] for reason in reasons] == missed


@pytest.mark.parametrize("anomalies", [1, 14, 29, 30, 200])
def test_few_anomalies_give_their_figures_an_interval(anomalies: int) -> None:
    config = EvaluationConfig.from_pipeline(ANOMALY)
    label = np.r_[np.zeros(anomalies), np.ones(300)].astype(np.int16)
    error = np.where(label == 1, 1.0, 9.0).astype(np.float32)
    error[0] = 0.5
    split = Scores(error, label, error)

    notices = judge(config, {"train": split, "eval": split}, None).notices

    if anomalies >= 30:
        assert notices == ()
        return
    (notice,) = notices
    assert notice.startswith(f"only {anomalies} abnormal example")
    assert f"anomaly_recall {(anomalies - 1) / anomalies:.2f} may be 0." in notice
    assert "roc_auc" in notice
    assert notice.endswith("(95% confidence)")
    if anomalies == 14:
        assert "anomaly_recall 0.93 may be 0.69 to 0.99, roc_auc 0.93 may be 0.78 to 0.98" in notice


@pytest.mark.parametrize("error", [[], [np.inf], [np.nan, 1.0]])
def test_metrics_of_unusable_errors_are_undefined(error: list[float]) -> None:
    unusable = scores(error, [1] * len(error))
    assert set(reconstruction_metrics(unusable, noisy=True).values()) == {None}
    assert set(detector_metrics(unusable, threshold=1.0).values()) == {None}


def test_a_perfect_reconstruction_has_no_gain_in_decibels() -> None:
    metrics = reconstruction_metrics(
        Scores(np.zeros(2, np.float32), np.zeros(2, np.int16), np.ones(2, np.float32)), noisy=True
    )
    assert metrics == {"val_loss": 0.0, "noisy_mse": 1.0, "psnr_gain_db": None}
