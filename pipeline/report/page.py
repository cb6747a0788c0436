"""The report: one HTML file that needs nothing beside itself."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup
from ml_metadata import MetadataStore

from pipeline.report.findings import Findings, read_findings
from pipeline.report.samples import Samples, read_samples
from pipeline.report.theme import PAGE, inline_svg, themed
from pipeline.run.outcome import REPORT_FILE, RunOutcome, Status
from pipeline_config import NORMAL_LABEL, PipelineConfig
from serving.push_directory import durable_files

SIGNALS = 6
IMAGES = 10
"""Examples shown."""

_VERDICTS: dict[Status, tuple[str, str]] = {
    "pushed": ("good", "Blessed and pushed"),
    "no new data": ("good", "Nothing new, nothing run"),
    "unchanged": ("good", "Nothing changed, nothing pushed"),
    "not_blessed": ("bad", "Not blessed, nothing pushed"),
    "data_refused": ("bad", "Refused by the data gate, nothing trained or pushed"),
    "failed": ("bad", "Failed, nothing pushed"),
    "interrupted": ("bad", "Interrupted, nothing pushed"),
}

_SAMPLE_NOTICE = "This run read the built-in sample: its figures say nothing about your own data."

_MEANINGS = {
    "accuracy": "share of examples judged right",
    "precision": "share of those judged normal that are normal",
    "recall": "share of the normal ones judged normal",
    "f1": "harmonic mean of precision and recall",
    "anomaly_recall": "share of the anomalies that are found",
    "roc_auc": "area under the ROC curve, free of the threshold",
    "pr_auc": "average precision with anomaly as the positive class, free of the threshold",
    "val_loss": "mean reconstruction error of the eval split, scaled to 0 to 1",
    "noisy_mse": "what doing nothing costs: mean squared error of the noisy input",
    "psnr_gain_db": "gain over doing nothing, in dB",
}


def write_report(
    outcome: RunOutcome, config: PipelineConfig, store: MetadataStore, directory: Path
) -> Path:
    """Writes the report of a run, whatever came of it.

    What the run did not get to is left out of the page.

    Args:
        outcome: What came of the run.
        config: The pipeline. If the run recorded its settings in MLMD, those are shown.
        store: Metadata of the run's pipeline.
        directory: Is written to; links on the page are relative to it.

    Returns:
        The path of `report.html`.
    """
    findings = read_findings(store, outcome.run_id, config)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    tone, verdict = _VERDICTS[outcome.status]
    page = environment.get_template("report.html.j2").render(
        outcome=outcome,
        config=config,
        tone=tone,
        verdict=verdict,
        notices=_notices(outcome),
        is_detector=findings.judged.is_detector,
        normal_only=_trained_on_normal_only(findings, config),
        metrics=_metric_rows(outcome, findings),
        has_baseline=bool((findings.evaluation or {}).get("baseline")),
        threshold_from=(findings.evaluation or {}).get("threshold_from"),
        notes=(findings.evaluation or {}).get("notes", []),
        confusion=_confusion(findings),
        stages=_stage_rows(outcome),
        settings=json.dumps(findings.stage_configs, indent=2) if findings.stage_configs else None,
        links={
            name: os.path.relpath(path, directory)
            for name, path in (("pushed", outcome.pushed), ("log", outcome.log))
            if path
        },
        href=quote,
        **_figures(findings),
    )
    path = directory / REPORT_FILE
    durable_files.write_text(path, page)
    return path


def _notices(outcome: RunOutcome) -> list[str]:
    is_sample = outcome.data is not None and outcome.data.source == "sample"
    return outcome.notices or ([_SAMPLE_NOTICE] if is_sample else [])


def _metric_rows(outcome: RunOutcome, findings: Findings) -> list[dict[str, Any]]:
    gate = findings.judged.gate
    baseline = ((findings.evaluation or {}).get("baseline") or {}).get("metrics", {})
    rows = []
    for name, value in outcome.metrics.items():
        lower, upper = gate.lower_bounds.get(name), gate.upper_bounds.get(name)
        bounds = [f"≥ {lower:.4g}"] if lower is not None else []
        bounds += [f"≤ {upper:.4g}"] if upper is not None else []
        missed = (lower is not None and (value is None or value < lower)) or (
            upper is not None and (value is None or value > upper)
        )
        rows.append(
            {
                "name": name,
                "meaning": _MEANINGS.get(name, ""),
                "value": _number(value),
                "required": ", ".join(bounds),
                "missed": missed,
                "baseline": _number(baseline[name]) if name in baseline else "",
            }
        )
    return rows


def _trained_on_normal_only(findings: Findings, config: PipelineConfig) -> bool:
    recorded = findings.stage_configs.get("Trainer", {}).get("custom_config", {})
    trainer = recorded.get("config", {}).get("trainer", {})
    return bool(trainer.get("normal_only", config.trainer.normal_only))


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4g}"


def _confusion(findings: Findings) -> list[dict[str, Any]]:
    """Returns a row a true class: its name and the cells by judged class."""
    matrix = (findings.evaluation or {}).get("confusion_matrix")
    if not matrix:
        return []
    rows = []
    for number, (name, counts) in enumerate(
        zip(matrix["labels"], matrix["rows_true_columns_predicted"], strict=True)
    ):
        total = sum(counts)
        cells = [
            {"count": count, "share": count / total if total else 0.0, "right": column == number}
            for column, count in enumerate(counts)
        ]
        rows.append({"name": name, "cells": cells})
    return rows


def _stage_rows(outcome: RunOutcome) -> list[dict[str, Any]]:
    stages = {name: s for name, s in outcome.seconds.items() if name != "total"}
    longest = max(stages.values(), default=0.0) or 1.0
    return [
        {
            "name": name,
            "seconds": seconds,
            "percent": 100 * seconds / longest,
            "cached": name in outcome.cached,
        }
        for name, seconds in stages.items()
    ]


def _figures(findings: Findings) -> dict[str, Any]:
    # Here, so that a run that ends early does without Matplotlib.
    from pipeline.report import figures

    loss = findings.judged.loss
    drawn: dict[str, Any] = {"curve": None, "histogram": None, "signals": [], "images": None}
    with themed(PAGE):
        if findings.history:
            last = findings.history["val_loss"][-1] if "val_loss" in findings.history else None
            drawn["curve"] = inline_svg(
                figures.training_curve(findings.history, loss),
                "curve",
                f"Line chart: loss over {len(findings.history['loss'])} epochs; training ends at "
                f"{findings.history['loss'][-1]:.4g}, validation at {_number(last)}.",
            )
        if findings.errors:
            threshold = (findings.evaluation or {}).get("threshold")
            series = _error_series(findings)
            drawn["histogram"] = inline_svg(
                figures.error_histogram(series, threshold, loss),
                "histogram",
                "Histogram: reconstruction errors of the eval examples, "
                + " and ".join(name for name, _ in series)
                + (f"; threshold at {threshold:.4g}." if threshold is not None else "."),
            )
        samples = read_samples(findings, SIGNALS if findings.judged.is_detector else IMAGES)
        if samples is not None and len(findings.judged.shape) == 1:
            drawn["signals"] = _signals(samples)
        elif samples is not None:
            drawn["images"] = _images(samples)
    return drawn


def _error_series(findings: Findings) -> list[tuple[str, Any]]:
    error, label = findings.errors["eval_error"], findings.errors["eval_label"]
    if findings.judged.is_detector:
        normal = label == NORMAL_LABEL
        return [("normal", error[normal]), ("abnormal", error[~normal])]
    series = [("reconstruction", error)]
    if "eval_noisy_error" in findings.errors:
        series.append(("noisy input", findings.errors["eval_noisy_error"]))
    return series


def _signals(samples: Samples) -> list[Markup]:
    from pipeline.report import figures

    return [
        inline_svg(
            figures.single_signal(samples, number),
            f"signal{number}",
            "Line chart: a signal and its reconstruction; "
            f"{figures.signal_title(samples, number)}.",
        )
        for number in range(len(samples.error))
    ]


def _images(samples: Samples) -> Markup:
    from pipeline.report import figures

    rows = "originals, noisy inputs and" if samples.noisy is not None else "originals and"
    return inline_svg(
        figures.image_rows(samples),
        "images",
        f"{len(samples.error)} columns of images: {rows} reconstructions; errors from "
        f"{samples.error.min():.4f} to {samples.error.max():.4f}.",
    )
