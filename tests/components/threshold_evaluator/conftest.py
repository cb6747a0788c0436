"""Runs the executor on real artifacts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import Model, ModelBlessing, ModelEvaluation, TransformGraph
from tfx.utils import path_utils
from tiny_models import DimmingReconstructor, FlatLineDetector

from components.threshold_evaluator.component import ThresholdEvaluator
from components.threshold_evaluator.config import EvaluationConfig
from pipeline.beam_profiles import beam_arguments
from tests.components.artifacts import ArtifactFolder, example, write_shards


class Bench(ArtifactFolder):
    """Runs the executor on artifacts below one folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.data = self.examples()
        self.transform_graph = self.artifact(TransformGraph)

    def write(self, split: str, *shards: tuple[np.ndarray, np.ndarray]) -> None:
        """Writes a file for each pair of values and labels."""
        write_shards(self.data, split, [map(example, *shard) for shard in shards])

    def detector(self, *, level: float, length: int, threshold: float = np.inf) -> Artifact:
        artifact = self.artifact(Model)
        module = FlatLineDetector(level, length)
        module.threshold.assign(threshold)
        module.save(path_utils.serving_model_dir(artifact.uri))
        return artifact

    def reconstructor(self, *, gain: float, shape: tuple[int, int]) -> Artifact:
        artifact = self.artifact(Model)
        DimmingReconstructor(gain, shape).save(path_utils.serving_model_dir(artifact.uri))
        return artifact

    def evaluate(
        self, config: EvaluationConfig, model: Artifact, baseline: Artifact | None = None
    ) -> "Result":
        outputs = {
            "evaluation": [self.artifact(ModelEvaluation)],
            "blessing": [self.artifact(ModelBlessing)],
            "judged_model": [self.artifact(Model)],
        }
        inputs = {
            "examples": [self.data],
            "transform_graph": [self.transform_graph],
            "model": [model],
        }
        if baseline is not None:
            inputs["baseline_model"] = [baseline]
        executor = ThresholdEvaluator.EXECUTOR_SPEC.executor_class
        context = executor.Context(
            beam_pipeline_args=beam_arguments("local"),
            tmp_dir=str(self._folder / "tmp"),
            unique_id=str(self._artifacts),
        )
        executor(context).Do(inputs, outputs, {"config": config.to_json(), "fingerprint": ""})
        return Result(**{key: artifacts[0] for key, artifacts in outputs.items()})


class Result:
    """What one evaluation wrote."""

    def __init__(self, evaluation: Artifact, blessing: Artifact, judged_model: Artifact) -> None:
        self.blessing = blessing
        self.judged_model = judged_model
        self.evaluation = json.loads(Path(evaluation.uri, "evaluation.json").read_text())
        with np.load(Path(evaluation.uri, "errors.npz")) as errors:
            self.errors = {name: errors[name] for name in errors.files}

    def load(self) -> Any:
        return tf.saved_model.load(path_utils.serving_model_dir(self.judged_model.uri))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
