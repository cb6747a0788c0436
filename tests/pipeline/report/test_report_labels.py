"""The report of examples that have labels, some labels or none."""

from pathlib import Path
from typing import Any

import lxml.html
import numpy as np
import pytest
from lxml.html import HtmlElement

from components.threshold_evaluator.config import EvaluationConfig
from data.facts import DataFacts
from pipeline.report import page
from pipeline.report.findings import Findings
from pipeline.run.outcome import RunOutcome
from pipeline_config import ANOMALY

CLASSES = {
    "1": {"label": "normal", "examples": 50, "alarms": 5, "recall": 0.9},
    "2": {"label": "abnormal", "examples": 20, "alarms": 20, "recall": 1.0},
    "V": {"label": "abnormal", "examples": 4, "alarms": 1, "recall": 0.25},
}
BOUNDS = [
    {"metric": "alarm_rate", "side": "lower", "value": 0.0, "origin": "default"},
    {"metric": "alarm_rate", "side": "upper", "value": 0.1, "origin": "setting"},
    {"metric": "accuracy", "side": "lower", "value": 0.85, "origin": "tutorial"},
]


def report(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    labels: list[int],
    metrics: dict[str, float | None],
    evaluation: dict[str, Any],
    counts: dict[str, int],
) -> HtmlElement:
    found = Findings(
        judged=EvaluationConfig.from_pipeline(ANOMALY),
        evaluation={"threshold": 0.5, **evaluation},
        errors={
            "eval_error": np.linspace(0, 1, len(labels), dtype=np.float32),
            "eval_label": np.array(labels, np.int16),
        },
        history={},
        model=None,
        examples=[],
        transform_graph=None,
        stage_configs={},
    )
    monkeypatch.setattr(page, "read_findings", lambda *_: found)
    facts = DataFacts("given", "/data", "", labels={"train": counts, "eval": counts})
    outcome = RunOutcome("anomaly", "run-1", "pushed", facts, metrics=metrics, threshold=0.5)
    written = page.write_report(outcome, ANOMALY, None, folder)  # type: ignore[arg-type]
    return lxml.html.fromstring(written.read_bytes())


def text(element: HtmlElement) -> str:
    return " ".join(element.text_content().split())


def histogram(page: HtmlElement) -> str:
    (found,) = (svg.get("aria-label") for svg in page.iter("svg"))
    return str(found)


def test_a_run_without_labels_shows_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = report(
        tmp_path,
        monkeypatch,
        labels=[-1] * 9,
        metrics={"val_loss": 0.02, "alarm_rate": 0.15},
        evaluation={
            "bounds": BOUNDS[:2],
            "classes": {},
            "notes": ["no eval example has a label: what takes labels is not measured"],
        },
        counts={"normal": 0, "abnormal": 0, "unlabelled": 9},
    )
    rows = {
        text(row.find(".//code")): [text(cell) for cell in row.findall("td")]
        for row in found.get_element_by_id("metrics").find("tbody")
    }
    assert rows["val_loss"] == ["0.02", ""]
    assert rows["alarm_rate"] == ["✗ 0.15", "≥ 0, ≤ 0.1 default, your setting"]
    assert "No eval example has a label" in text(found)
    assert "eval examples, unlabelled; threshold at 0.5" in histogram(found)
    assert [text(heading) for heading in found.iter("h2")] == ["Metrics", "Reconstruction errors"]


def test_some_labels_are_drawn_beside_the_unlabelled_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = report(
        tmp_path,
        monkeypatch,
        labels=[1, 0, -1, -1],
        metrics={"accuracy": 0.9},
        evaluation={"bounds": BOUNDS[2:], "classes": CLASSES},
        counts={"normal": 1, "abnormal": 1, "unlabelled": 2},
    )
    assert "eval examples, normal and abnormal and unlabelled;" in histogram(found)
    assert "≥ 0.85 the tutorial's" in text(found.get_element_by_id("metrics"))
    rows = found.get_element_by_id("classes").find("tbody")
    assert [[text(cell) for cell in row] for row in rows] == [
        ["1", "normal", "50", "5", "0.9"],
        ["2", "abnormal", "20", "20", "1"],
        ["V", "abnormal", "4", "1", "0.25"],
    ]


def test_two_classes_need_no_table_and_one_without_rows_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = report(
        tmp_path,
        monkeypatch,
        labels=[1, 1],
        metrics={"accuracy": None},
        evaluation={"classes": dict(list(CLASSES.items())[:2])},
        counts={"normal": 2, "abnormal": 0},
    )
    assert found.xpath("//*[@id='classes']") == []
    assert "eval examples, normal and abnormal;" in histogram(found)
