"""Runs the executor on real artifacts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import (
    Examples,
    Model,
    ModelBlessing,
    ModelEvaluation,
    TransformGraph,
)
from tfx.utils import path_utils
from tiny_models import (
    DimmingReconstructor,
    FlatLineDetector,
    image_example,
    signal_example,
    write_shards,
)

from components.threshold_evaluator.component import ThresholdEvaluator
from components.threshold_evaluator.config import EvaluationConfig
from pipeline.beam_profiles import beam_arguments


class Bench:
    """Runs the executor on artifacts below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._artifacts = 0
        self.examples = self.artifact(Examples)
        self.examples.split_names = artifact_utils.encode_split_names(["train", "eval"])
        self.transform_graph = self.artifact(TransformGraph)

    def artifact(self, kind: type[Artifact]) -> Any:
        self._artifacts += 1
        artifact = kind()
        artifact.id = self._artifacts
        artifact.uri = str(self._folder / f"{kind.TYPE_NAME}-{artifact.id}")
        Path(artifact.uri).mkdir(parents=True)
        return artifact

    def signals(self, split: str, *shards: tuple[np.ndarray, np.ndarray]) -> None:
        records = [
            [signal_example(s, int(y)) for s, y in zip(*shard, strict=True)] for shard in shards
        ]
        write_shards(self.examples, split, records)

    def images(self, split: str, *shards: tuple[np.ndarray, np.ndarray]) -> None:
        records = [
            [image_example(s, int(y)) for s, y in zip(*shard, strict=True)] for shard in shards
        ]
        write_shards(self.examples, split, records)

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
            "examples": [self.examples],
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
