"""Executor of ThresholdEvaluator."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from absl import logging
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import (
    BASELINE_MODEL_KEY,
    BLESSING_KEY,
    EVALUATION_KEY,
    EXAMPLES_KEY,
    MODEL_KEY,
    TRANSFORM_GRAPH_KEY,
)
from tfx.utils import path_utils

from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.judged_model import save_judged_model
from components.threshold_evaluator.outputs import (
    evaluation_as_dict,
    write_blessing,
    write_errors,
    write_evaluation,
)
from components.threshold_evaluator.score_shards import (
    ScoreShards,
    Shard,
    list_shards,
    read_scores,
)
from components.threshold_evaluator.scoring import NotScorable, Scores, scorable_threshold
from components.threshold_evaluator.verdict import ScoredBaseline, judge

CONFIG_KEY = "config"
FINGERPRINT_KEY = "fingerprint"
JUDGED_MODEL_KEY = "judged_model"

SPLITS = ("train", "eval")

Artifacts = dict[str, list[Artifact]]


class Executor(BaseBeamExecutor):
    """Scores, judges, and writes what it found."""

    def Do(  # noqa: N802 - TFX's name.
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Judges `model` on the eval split of `examples`.

        A refusal is a result, not an error: the blessing says so and `evaluation.json` why.

        Args:
            input_dict: `examples`, `transform_graph`, `model` and, if there is one,
                `baseline_model`.
            output_dict: `evaluation`, `blessing` and `judged_model`.
            exec_properties: `config`, as `EvaluationConfig.to_json()`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = EvaluationConfig.from_json(exec_properties[CONFIG_KEY])
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        judged_model = artifact_utils.get_single_instance(output_dict[JUDGED_MODEL_KEY])

        baseline_note, baseline_artifact, baseline_threshold = _find_baseline(input_dict, config)
        scores, baseline_scores = self._score(input_dict, config, model, baseline_artifact)
        baseline = None
        if baseline_artifact is not None and baseline_scores is not None:
            baseline = ScoredBaseline(
                baseline_artifact.uri, baseline_artifact.id, baseline_threshold, baseline_scores
            )
        verdict = judge(config, scores, baseline)
        if baseline_note:
            verdict = dataclasses.replace(verdict, notes=(*verdict.notes, baseline_note))

        save_judged_model(
            _serving_path(model),
            path_utils.serving_model_dir(judged_model.uri),
            verdict.threshold_value,
        )
        directory = artifact_utils.get_single_uri(output_dict[EVALUATION_KEY])
        content = evaluation_as_dict(config, verdict, scores, baseline)
        logging.info("Evaluation: %s", content)
        write_evaluation(directory, content)
        write_errors(directory, scores, noisy=config.noise > 0)
        write_blessing(
            artifact_utils.get_single_instance(output_dict[BLESSING_KEY]),
            verdict,
            model=model,
            judged_model=judged_model,
            baseline=baseline,
        )

    def _score(
        self,
        input_dict: Artifacts,
        config: EvaluationConfig,
        model: Artifact,
        baseline: Artifact | None,
    ) -> tuple[dict[str, Scores], Scores | None]:
        """Scores both splits with the candidate and the eval split with the baseline."""
        shards = {split: list_shards(input_dict[EXAMPLES_KEY], split) for split in SPLITS}
        transform_graph = artifact_utils.get_single_uri(input_dict[TRANSFORM_GRAPH_KEY])
        work: dict[str, tuple[Artifact, Sequence[Shard]]] = {
            "candidate": (model, [shard for of_split in shards.values() for shard in of_split])
        }
        if baseline is not None:
            work["baseline"] = (baseline, shards["eval"])
        temporary = self._get_tmp_dir().rstrip("/")
        with self._make_beam_pipeline() as pipeline:
            for role, (artifact, of_role) in work.items():
                _ = (
                    pipeline
                    | f"ListShards[{role}]" >> beam.Create(of_role, reshuffle=False)
                    | f"ScoreShards[{role}]"
                    >> ScoreShards(
                        _serving_path(artifact), transform_graph, config, f"{temporary}/{role}"
                    )
                )
        scores = {
            split: read_scores(f"{temporary}/candidate", of_split)
            for split, of_split in shards.items()
        }
        if baseline is None:
            return scores, None
        return scores, read_scores(f"{temporary}/baseline", shards["eval"])


def _serving_path(model: Artifact) -> str:
    return path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))


def _find_baseline(
    input_dict: Artifacts, config: EvaluationConfig
) -> tuple[str | None, Artifact | None, float | None]:
    """Returns a note if nothing can be compared, else the baseline and its threshold."""
    found = input_dict.get(BASELINE_MODEL_KEY)
    if not found:
        return "there is no earlier blessed model to compare with", None, None
    baseline = artifact_utils.get_single_instance(found)
    try:
        return None, baseline, scorable_threshold(_serving_path(baseline), config)
    except NotScorable as fault:
        note = f"the latest blessed model does not fit these examples and is not compared: {fault}"
        return note, None, None
