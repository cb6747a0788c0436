"""What the evaluator leaves behind, for people, for plots and for the next components."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tfx.components.evaluator import constants
from tfx.types.artifact import Artifact
from tfx.utils import io_utils

from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.metrics import confusion_matrix, error_quantiles
from components.threshold_evaluator.scores import Scores, write_arrays
from components.threshold_evaluator.verdict import Baseline, Verdict

EVALUATION_FILE = "evaluation.json"
ERRORS_FILE = "errors.npz"

JUDGED_MODEL_PROPERTY = "judged_model"
"""Custom property of the blessing: URI of the model that was judged, threshold set inside."""


def evaluation_as_dict(
    config: EvaluationConfig,
    verdict: Verdict,
    scores: Mapping[str, Scores],
    baseline: Baseline | None,
    noise_levels: Sequence[Mapping[str, float | None]] = (),
) -> dict[str, Any]:
    """Returns the content of `evaluation.json`.

    What is undefined is null in it; what takes labels that the examples lack is not in `metrics`.
    """
    threshold = verdict.threshold
    return {
        "is_detector": config.is_detector,
        "loss": config.loss,
        "blessed": verdict.blessed,
        "reasons": verdict.reasons,
        "notes": verdict.notes,
        "notices": verdict.notices,
        "metrics": verdict.metrics,
        "bounds": [dataclasses.asdict(bound) for bound in verdict.bounds],
        "classes": verdict.classes,
        "threshold": verdict.threshold_value,
        "threshold_from": threshold.as_dict() if threshold else None,
        "thresholds": verdict.comparison,
        "oracle": verdict.oracle,
        "confusion_matrix": {
            "labels": ["normal", "anomaly"],
            "rows_true_columns_predicted": confusion_matrix(scores["eval"], threshold.value),
        }
        if threshold and verdict.metrics.get("accuracy") is not None
        else None,
        "baseline": dataclasses.asdict(baseline) if baseline else None,
        "examples": {split: len(of_split.error) for split, of_split in scores.items()},
        "noise_levels": list(noise_levels),
        "error_quantiles": {split: error_quantiles(of_split) for split, of_split in scores.items()},
    }


def write_evaluation(directory: str, content: Mapping[str, Any]) -> None:
    """Writes `evaluation.json`."""
    io_utils.write_string_file(
        f"{directory}/{EVALUATION_FILE}", json.dumps(content, indent=2, allow_nan=False)
    )


def write_errors(directory: str, scores: Mapping[str, Scores], *, noisy: bool) -> None:
    """Writes `errors.npz`: `{split}_error`, `{split}_label` and, if noisy, `{split}_noisy_error`.

    The order is that of the split's files, sorted by path, and of the records in them.
    """
    arrays = {}
    for split, of_split in scores.items():
        arrays[f"{split}_error"] = of_split.error
        arrays[f"{split}_label"] = of_split.label
        if noisy:
            arrays[f"{split}_noisy_error"] = of_split.noisy_error
    write_arrays(f"{directory}/{ERRORS_FILE}", arrays)


def write_with_threshold(
    model_directory: str,
    destination: str,
    threshold: float,
    normal_errors: npt.NDArray[np.float32] | None = None,
) -> None:
    """Saves a detector again with what it decides by set inside.

    Args:
        model_directory: SavedModel that the Trainer exported, or one of this function.
        destination: Where to.
        threshold: Its new threshold.
        normal_errors: float32 [n], ascending; None leaves those that it has.
    """
    loaded = tf.saved_model.load(model_directory)
    loaded.threshold.assign(threshold)
    if normal_errors is not None:
        loaded.normal_errors.assign(normal_errors)
    tf.saved_model.save(loaded, destination, signatures=loaded.signatures)


def write_blessing(
    blessing: Artifact,
    verdict: Verdict,
    *,
    model: Artifact,
    judged_model: Artifact,
    baseline: Baseline | None,
) -> None:
    """Writes a verdict in the contract of TFX's Evaluator.

    Args:
        blessing: The artifact: a file `BLESSED` or `NOT_BLESSED`, and custom properties.
        verdict: Blessed or not, and why not.
        model: The Trainer's model, by whose id stock resolvers find the blessing.
        judged_model: The model with its threshold, named by `judged_model`.
        baseline: What the model was compared with.
    """
    blessed = verdict.blessed
    properties = {
        constants.ARTIFACT_PROPERTY_BLESSED_KEY: constants.BLESSED_VALUE
        if blessed
        else constants.NOT_BLESSED_VALUE,
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY: model.id,
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY: model.uri,
        JUDGED_MODEL_PROPERTY: judged_model.uri,
        constants.ARTIFACT_PROPERTY_BLESSING_MESSAGE_KEY: "; ".join(verdict.reasons),
    }
    if baseline is not None:
        properties[constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY] = baseline.artifact_id
        properties[constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY] = baseline.uri
    for key, value in properties.items():
        if isinstance(value, int):
            blessing.set_int_custom_property(key, value)
        else:
            blessing.set_string_custom_property(key, value)
    file = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(f"{blessing.uri}/{file}", "")
