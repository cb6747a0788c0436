"""The report: one HTML file that needs nothing beside itself."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from ml_metadata import MetadataStore

from components.threshold_evaluator.bounds import Bound
from pipeline.report.findings import Findings, read_findings
from pipeline.report.thresholds import threshold_figures, threshold_in_words, threshold_rows
from pipeline.run.outcome import BOUND_ORIGINS, REPORT_FILE, VERDICTS, RunOutcome
from pipeline.tuning.result import read_result
from pipeline_config import PipelineConfig
from serving.push_directory import durable_files

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
    "alarm_rate": "share of the eval examples without a label that are judged an anomaly",
    "noisy_mse": "what doing nothing costs: mean squared error of the noisy input",
    "psnr_gain_db": "gain over doing nothing, in dB",
}


def write_report(
    outcome: RunOutcome, config: PipelineConfig, store: MetadataStore, directory: Path
) -> Path:
    """Writes the report of a run, whether or not it ended well.

    What the run did not get to is left out of the page.

    Args:
        outcome: Of the run.
        config: The pipeline. If the run recorded its settings in MLMD, those are shown.
        store: Metadata of the run's pipeline.
        directory: Is written to; links on the page are relative to it.

    Returns:
        The path of `report.html`.
    """
    # Here, so that no other command imports Matplotlib.
    from pipeline.report.figures import LOSS_NAMES, draw_figures
    from pipeline.report.search_figure import draw_search

    findings = read_findings(store, outcome.run_id, config)
    tuning = read_result(directory)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("report.html.j2").render(
        outcome=outcome,
        config=config,
        tone="good" if outcome.exit_code == 0 else "bad",
        verdict="".join(VERDICTS[outcome.status]),
        notices=_notices(outcome),
        is_detector=findings.judged.is_detector,
        loss_name=LOSS_NAMES[findings.judged.loss],
        all_labelled=_all_labelled(outcome),
        normal_only=_trained_on_normal_only(findings, config),
        validates_on_held_out=bool(_trainer_config(findings).get("validates_on_held_out")),
        metrics=_metric_rows(outcome, findings),
        classes=findings.evaluation.get("classes", {}),
        noise_levels=findings.evaluation.get("noise_levels", []),
        own_noise=findings.judged.noise,
        has_baseline=bool(findings.evaluation.get("baseline")),
        threshold_meaning=threshold_in_words(
            findings.evaluation, all_labelled=_all_labelled(outcome)
        ),
        thresholds=threshold_rows(findings.evaluation),
        threshold_figures=threshold_figures(findings.evaluation),
        oracle=findings.evaluation.get("oracle"),
        notes=findings.evaluation.get("notes", []),
        confusion=findings.evaluation.get("confusion_matrix"),
        stages={name: s for name, s in outcome.seconds.items() if name != "total"},
        settings=json.dumps(findings.stage_configs, indent=2) if findings.stage_configs else None,
        links={
            name: os.path.relpath(path, directory)
            for name, path in (("pushed", outcome.pushed), ("log", outcome.log))
            if path
        },
        href=quote,
        tuning=tuning,
        search=draw_search(tuning) if tuning else None,
        **draw_figures(findings),
    )
    path = directory / REPORT_FILE
    durable_files.write_text(path, page)
    return path


def _notices(outcome: RunOutcome) -> list[str]:
    is_sample = outcome.data is not None and outcome.data.source == "sample"
    return outcome.notices or ([_SAMPLE_NOTICE] if is_sample else [])


def _metric_rows(outcome: RunOutcome, findings: Findings) -> list[dict[str, Any]]:
    baseline = (findings.evaluation.get("baseline") or {}).get("metrics", {})
    rows = []
    for name, value in outcome.metrics.items():
        bounds = [bound for bound in _bounds(findings) if bound.metric == name]
        signs = {"lower": "≥", "upper": "≤"}
        rows.append(
            {
                "name": name,
                "meaning": _MEANINGS.get(name, ""),
                "value": _number(value),
                "required": ", ".join(f"{signs[one.side]} {one.value:.4g}" for one in bounds),
                "origin": ", ".join(dict.fromkeys(BOUND_ORIGINS[one.origin] for one in bounds)),
                "missed": any(value is None or one.is_missed(value) for one in bounds),
                "baseline": _number(baseline[name]) if name in baseline else "",
            }
        )
    return rows


def _bounds(findings: Findings) -> list[Bound]:
    if "bounds" in findings.evaluation:
        return [Bound(**bound) for bound in findings.evaluation["bounds"]]
    # A run of before bounds had an origin recorded them as its settings alone.
    gate = findings.judged.gate
    lower = [Bound(name, "lower", value, "setting") for name, value in gate.lower_bounds.items()]
    upper = [Bound(name, "upper", value, "setting") for name, value in gate.upper_bounds.items()]
    return [*lower, *upper]


def _all_labelled(outcome: RunOutcome) -> bool:
    labels = outcome.data.labels if outcome.data else {}
    return not any("unlabelled" in of_split for of_split in labels.values())


def _trained_on_normal_only(findings: Findings, config: PipelineConfig) -> bool:
    trainer = _trainer_config(findings).get("trainer", {})
    return bool(trainer.get("normal_only", config.trainer.normal_only))


def _trainer_config(findings: Findings) -> dict[str, Any]:
    recorded = findings.stage_configs.get("Trainer", {}).get("custom_config", {})
    found: dict[str, Any] = recorded.get("config", {})
    return found


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4g}"
