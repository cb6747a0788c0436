"""How a report shows the thresholds that all strategies would set."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml.html import HtmlElement

from components.threshold_evaluator.comparison import compare, fit_all, oracle
from components.threshold_evaluator.scores import Scores
from components.threshold_evaluator.threshold import Threshold, fitting_rows
from pipeline_config import ThresholdEvaluatorConfig
from tests.pipeline.report.test_report_labels import report, text


def evaluation(strategy: str, *, held_out: bool) -> dict[str, Any]:
    """What the evaluator writes on thresholds."""
    rng = np.random.default_rng(0)
    error = np.concatenate([rng.gamma(4, 0.01, 200), 0.1 + rng.gamma(4, 0.01, 50)])
    label = (np.arange(250) < 200).astype(np.int16)
    found = Scores(error.astype(np.float32), label, error)
    gate = ThresholdEvaluatorConfig(threshold=strategy)  # type: ignore[arg-type]
    attempts = fit_all(gate, fitting_rows({"calibration" if held_out else "train": found}))
    chosen = attempts[strategy]
    assert isinstance(chosen, Threshold)
    return {
        "threshold_from": chosen.as_dict(),
        "thresholds": compare(attempts, strategy, found),
        "oracle": oracle(found),
    }


def shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, Any]
) -> tuple[HtmlElement, str]:
    page = report(
        folder,
        monkeypatch,
        labels=[0, 1, 1],
        metrics={"accuracy": 1.0},
        evaluation=content,
        counts={"normal": 2, "abnormal": 1},
    )
    return page, text(page.get_element_by_id("metrics"))


def test_every_strategy_has_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = evaluation("conformal", held_out=True)

    page, metrics = shown(tmp_path, monkeypatch, content)

    rows = [text(row) for row in page.get_element_by_id("thresholds").iter("tr")][1:]
    assert len(rows) == 6
    assert [row.split()[0] for row in rows if "(in force)" in row] == ["conformal"]
    assert [row.split()[0] for row in rows if "(uses labels)" in row] == ["f1"]
    for row, entry in zip(rows, content["thresholds"], strict=True):
        assert f"{entry['threshold']:.4g}" in row
        assert f"{entry['false_alarm_rate']:.4g}" in row
    assert (
        "an anomaly: error 191 in ascending order, for a false-alarm rate of 0.05, of 200 normal "
        "held-out examples" in metrics
    )
    oracle_sentence = f"with an accuracy of {content['oracle']['accuracy']:.4g}. That is no result"
    assert oracle_sentence in text(page)


def test_what_has_no_threshold_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, metrics = shown(tmp_path, monkeypatch, evaluation("f1", held_out=False))

    (row,) = (
        text(row)
        for row in page.get_element_by_id("thresholds").iter("tr")
        if text(row).startswith("conformal")
    )
    assert row.endswith("held out of the training: --set data.held_out=0.2")
    assert "training ones, by their labels (evaluator.threshold=f1)" in metrics


def test_a_run_of_before_there_were_strategies_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {"threshold_from": {"value": 0.5, "mean": 0.3, "std": 0.2, "k": 1, "examples": 1234}}

    page, metrics = shown(tmp_path, monkeypatch, content)

    assert "mean 0.3 + 1 \u00d7 standard deviation 0.2 of 1,234 normal training examples" in metrics
    assert "thresholds" not in {element.get("id") for element in page.iter("table")}
