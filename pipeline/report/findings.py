"""What a report reads of a run: the files of its artifacts, as named by MLMD."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ml_metadata import MetadataStore
from tfx.utils.path_constants import SERVING_MODEL_DIR

from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.outputs import ERRORS_FILE, EVALUATION_FILE
from pipeline.run.lineage import output_artifacts, run_executions, stage_configs
from pipeline_config import PipelineConfig
from trainer.train import HISTORY_FILE


@dataclasses.dataclass(frozen=True)
class Findings:
    """What a run's artifacts hold; None or empty if it ended before, or a file is gone.

    Attributes:
        judged: Feature, shape, noise and bounds that the model was judged by.
        evaluation: Content of `evaluation.json`.
        errors: Content of `errors.npz`.
        history: `loss` and `val_loss`, one value an epoch.
        model: Folder of the judged SavedModel.
        examples: Files of the raw eval split, in the order of `errors`.
        transform_graph: Folder of Transform's graph.
        stage_configs: What each stage was configured with.
    """

    judged: EvaluationConfig
    evaluation: Mapping[str, Any]
    errors: Mapping[str, np.ndarray]
    history: Mapping[str, list[float]]
    model: Path | None
    examples: list[Path]
    transform_graph: Path | None
    stage_configs: Mapping[str, Mapping[str, Any]]


def read_findings(store: MetadataStore, run_id: str, config: PipelineConfig) -> Findings:
    """Reads the artifacts of a run.

    Args:
        store: Metadata of the run's pipeline.
        run_id: Name of the run; one that MLMD has not recorded has no findings.
        config: Used if the run has not recorded what it was judged by. A report on an
            old run is thus right even if settings have changed since.
    """
    executions = run_executions(store, run_id)
    outputs = {
        key: Path(artifact.uri)
        for stage in ("ExampleGen", "Transform", "Trainer", "ThresholdEvaluator")
        for key, artifact in output_artifacts(store, executions, stage).items()
    }

    def file_of(key: str, name: str) -> Path | None:
        path = outputs[key] / name if key in outputs else None
        return path if path and path.exists() else None

    configs = stage_configs(executions)
    recorded = configs.get("ThresholdEvaluator", {}).get("config")
    evaluation, errors = (file_of("evaluation", name) for name in (EVALUATION_FILE, ERRORS_FILE))
    history = file_of("model_run", HISTORY_FILE)
    examples = file_of("examples", "Split-eval")
    return Findings(
        judged=EvaluationConfig.from_json(json.dumps(recorded))
        if recorded
        else EvaluationConfig.from_pipeline(config),
        evaluation=json.loads(evaluation.read_text()) if evaluation else {},
        errors=dict(np.load(errors)) if errors else {},
        history=json.loads(history.read_text()) if history else {},
        model=file_of("judged_model", SERVING_MODEL_DIR),
        examples=sorted(examples.iterdir()) if examples else [],
        transform_graph=outputs.get("transform_graph"),
        stage_configs=configs,
    )
