"""What a report reads of a run: the files of its artifacts, as named by MLMD."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ml_metadata import MetadataStore
from tfx.utils import path_utils

from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.outputs import ERRORS_FILE, EVALUATION_FILE
from pipeline.run.lineage import output_artifacts, run_executions, stage_configs
from pipeline_config import PipelineConfig
from trainer.train import HISTORY_FILE


@dataclasses.dataclass(frozen=True)
class Findings:
    """What is known of a run; None and empty if it ended before, or a file is gone.

    Attributes:
        judged: Feature, shape, noise and bounds that the model was judged by.
        evaluation: Content of `evaluation.json`.
        errors: Content of `errors.npz`; empty without one.
        history: `loss` and `val_loss`, one value an epoch.
        model: Folder of the judged SavedModel.
        examples: Files of the raw eval split, in the order of `errors`.
        transform_graph: Folder of Transform's graph.
        stage_configs: What each stage was configured with.
    """

    judged: EvaluationConfig
    evaluation: dict[str, Any] | None
    errors: Mapping[str, np.ndarray]
    history: Mapping[str, list[float]] | None
    model: Path | None
    examples: list[Path]
    transform_graph: Path | None
    stage_configs: Mapping[str, Mapping[str, Any]]


def read_findings(store: MetadataStore, run_id: str, config: PipelineConfig) -> Findings:
    """Reads the artifacts of a run.

    Args:
        store: Metadata of the run's pipeline.
        run_id: Name of the run; one that MLMD does not know has no findings.
        config: Used if the run has not recorded what it was judged by. A report on an
            old run is thus right even if settings have changed since.
    """
    executions = run_executions(store, run_id)
    outputs = {
        key: Path(artifact.uri)
        for stage in ("ExampleGen", "Transform", "Trainer", "ThresholdEvaluator")
        for key, artifact in output_artifacts(store, executions, stage).items()
    }
    configs = stage_configs(executions)
    recorded = configs.get("ThresholdEvaluator", {}).get("config")
    judged = (
        EvaluationConfig.from_json(json.dumps(recorded))
        if recorded
        else EvaluationConfig.from_pipeline(config)
    )
    return Findings(
        judged=judged,
        evaluation=_json(outputs.get("evaluation"), EVALUATION_FILE),
        errors=_arrays(outputs.get("evaluation"), ERRORS_FILE),
        history=_json(outputs.get("model_run"), HISTORY_FILE),
        model=_serving_model(outputs.get("judged_model")),
        examples=sorted((outputs["examples"] / "Split-eval").glob("*"))
        if "examples" in outputs
        else [],
        transform_graph=outputs.get("transform_graph"),
        stage_configs=configs,
    )


def _json(directory: Path | None, name: str) -> dict[str, Any] | None:
    if directory is None or not (directory / name).is_file():
        return None
    content: dict[str, Any] = json.loads((directory / name).read_text())
    return content


def _arrays(directory: Path | None, name: str) -> dict[str, np.ndarray]:
    if directory is None or not (directory / name).is_file():
        return {}
    with np.load(directory / name) as arrays:
        return dict(arrays)


def _serving_model(artifact: Path | None) -> Path | None:
    if artifact is None:
        return None
    directory = Path(path_utils.serving_model_dir(str(artifact)))
    return directory if directory.is_dir() else None
