"""Runs of the product for `detection.py`, as `aepipe run` does them, and what they leave behind.

They share this process: to import TensorFlow and TFX takes longer than most of these runs.
"""

import dataclasses
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from detection_sets import SignalSet

from components.raw_examples import parse, records
from pipeline.home import Home
from pipeline.report.findings import Findings, read_findings
from pipeline.run.lineage import open_store
from pipeline.runners.local import RunRequest, run_pipelines
from pipeline_config import (
    ABNORMAL_LABEL,
    CALIBRATION_SPLIT,
    PIPELINES,
    UserInputError,
    normal_labels,
)

UNUSED_STAGES = ("infra_validator.enabled=false",)


class RunFailedError(Exception):
    """A run has no judged model; the message says why."""


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """One run of a pipeline on a set.

    Attributes:
        outcome: What `aepipe run --json` printed of it.
        errors: float32 [N], of the eval split's labelled examples.
        is_abnormal: bool [N].
        threshold: None if there is none.
        promised: The false-alarm rate that the threshold is set for; None if it is for none.
        model: Folder of the judged SavedModel.
    """

    outcome: dict[str, Any]
    errors: np.ndarray
    is_abnormal: np.ndarray
    threshold: float | None
    promised: float | None
    model: Path | None


@dataclasses.dataclass(frozen=True)
class Splits:
    """The values of a run's own splits, flattened.

    Attributes:
        train: float32 [n, values], what counts as normal in the training split.
        calibration: float32 [m, values], the same of the held-out normals; None without them.
        eval: float32 [N, values], labelled.
        is_abnormal: bool [N].
    """

    train: np.ndarray
    calibration: np.ndarray | None
    eval: np.ndarray
    is_abnormal: np.ndarray


def run(pipeline: str, of_set: SignalSet, seed: int, work: Path) -> FinishedRun:
    """Runs a pipeline, unless its outcome is in `work` already.

    All seeds of a set share a home, so that only the first one reads and transforms the data.

    Args:
        pipeline: Its name.
        of_set: The data.
        seed: `trainer.seed`.
        work: Folder for data, homes and outcomes.

    Raises:
        RunFailedError: It ended without a judged model.
    """
    folder = work / of_set.name
    home = folder / "home"
    saved = folder / f"{pipeline}-{seed}.json"
    if not saved.exists():
        data = _data_folder(of_set, folder / "data")
        settings = (*of_set.run_settings(), *UNUSED_STAGES, f"trainer.seed={seed}")
        saved.write_text(json.dumps(_run(pipeline, data, home, settings)))
    outcome = json.loads(saved.read_text())
    return _finished(outcome, _findings(home, outcome))


def read_splits(outcome: dict[str, Any], of_set: SignalSet, work: Path) -> Splits:
    """Reads a run's examples back.

    Args:
        outcome: What `aepipe run --json` printed of the run.
        of_set: Its data.
        work: As `run` has it.
    """
    found = _findings(work / of_set.name / "home", outcome)
    judged = found.judged
    normal = normal_labels(presumes_normal=judged.presumes_normal)
    examples = found.examples[0].parent.parent

    def of_split(name: str) -> tuple[np.ndarray, np.ndarray] | None:
        files = sorted(map(str, (examples / f"Split-{name}").glob("*")))
        return read_examples(files, judged.feature, judged.shape) if files else None

    train, held_out, evaluated = (of_split(name) for name in ("train", CALIBRATION_SPLIT, "eval"))
    assert train is not None, "a run that judged a model has read its training split"
    assert evaluated is not None, "and its eval split"
    is_labelled = np.isin(evaluated[1], (*normal_labels(presumes_normal=False), ABNORMAL_LABEL))
    return Splits(
        train=train[0][np.isin(train[1], normal)],
        calibration=None if held_out is None else held_out[0][np.isin(held_out[1], normal)],
        eval=evaluated[0][is_labelled],
        is_abnormal=evaluated[1][is_labelled] == ABNORMAL_LABEL,
    )


def read_examples(
    files: Sequence[str], feature: str, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the values, float32 [n, values], and the labels, int16 [n], of TFRecord files."""
    parsed = [parse(batch, feature, shape) for batch in records(files).batch(1000)]
    values = np.concatenate([np.asarray(one.values).reshape(len(one.label), -1) for one in parsed])
    return values, np.concatenate([np.asarray(one.label) for one in parsed])


def _run(pipeline: str, data: Path, home: Path, settings: Sequence[str]) -> dict[str, Any]:
    request = RunRequest((pipeline,), home, data, tuple(settings))
    try:
        (outcome,) = run_pipelines(request, sys.stderr)
    except UserInputError as error:
        raise RunFailedError(str(error)) from error
    if not outcome.metrics:
        raise RunFailedError(outcome.reasons[0])
    return outcome.as_dict()


def _data_folder(of_set: SignalSet, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for path in of_set.files:
        shutil.copy(path, folder)
    return folder


def _findings(home: Path, outcome: dict[str, Any]) -> Findings:
    pipeline = outcome["pipeline"]
    store = open_store(Home(home), pipeline)
    return read_findings(store, outcome["run_id"], PIPELINES[pipeline])


def _finished(outcome: dict[str, Any], found: Findings) -> FinishedRun:
    label = found.errors["eval_label"]
    is_labelled = np.isin(label, (*normal_labels(presumes_normal=False), ABNORMAL_LABEL))
    chosen = found.evaluation.get("threshold_from") or {}
    return FinishedRun(
        outcome,
        errors=found.errors["eval_error"][is_labelled],
        is_abnormal=label[is_labelled] == ABNORMAL_LABEL,
        threshold=found.evaluation.get("threshold"),
        promised=chosen.get("false_alarm_rate"),
        model=found.model,
    )
