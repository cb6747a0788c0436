"""ThresholdEvaluator: sets a detector's threshold and blesses a model, or refuses it."""

import apache_beam as beam
from absl import logging
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    InputArtifact,
    OutputArtifact,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import (
    Examples,
    Model,
    ModelBlessing,
    ModelEvaluation,
    TransformGraph,
)
from tfx.utils import io_utils
from tfx.utils.path_utils import serving_model_dir

from components.raw_examples import splits_of
from components.scorer import ModelLoadError
from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.metrics import compute_metrics
from components.threshold_evaluator.noise_levels import measure_noise_levels
from components.threshold_evaluator.outputs import (
    evaluation_as_dict,
    write_blessing,
    write_errors,
    write_evaluation,
    write_with_threshold,
)
from components.threshold_evaluator.scores import (
    ScoreShards,
    baseline_threshold,
    list_shards,
    read_scores,
)
from components.threshold_evaluator.verdict import Baseline, Verdict, judge


@component(use_beam=True)
def ThresholdEvaluator(  # noqa: N802 - TFX names a component as a class.
    examples: InputArtifact[Examples],
    transform_graph: InputArtifact[TransformGraph],
    model: InputArtifact[Model],
    evaluation: OutputArtifact[ModelEvaluation],
    blessing: OutputArtifact[ModelBlessing],
    judged_model: OutputArtifact[Model],
    config: Parameter[str],
    fingerprint: Parameter[str],
    baseline_model: InputArtifact[Model] = None,
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Judges a model by its reconstruction errors on the eval split.

    A refusal is a result, not an error: the blessing reports it and `evaluation.json` why.

    Args:
        examples: Raw examples with the splits `train`, `eval` and, if some are held out,
            `calibration`.
        transform_graph: Transform's graph; source of the noise of a denoising model.
        model: The Trainer's model, with the `score` signature.
        evaluation: `evaluation.json` (metrics, threshold, confusion matrix, reasons) and
            `errors.npz` (the errors of all examples, for plots).
        blessing: Verdict in TFX's standard contract, so that a stock Pusher and
            `LatestBlessedModelStrategy` understand it.
        judged_model: The trained model with the threshold set inside, and beside it the normal
            errors that it was set from. Push this one.
        config: `EvaluationConfig.to_json()`.
        fingerprint: Digest of the code, so that an edit runs the stage again.
        baseline_model: A model that this component has judged before, or none.
        beam_pipeline: Scores the examples; made by TFX of the pipeline's `beam_pipeline_args`.
    """
    del fingerprint
    settings = EvaluationConfig.from_json(config)
    own_threshold, notes = _check_baseline(baseline_model, settings)
    temporary = f"{evaluation.uri}/shards"
    shards = {
        split: list_shards([examples], split, f"{temporary}/model") for split in splits_of(examples)
    }
    baseline_shards = list_shards([examples], "eval", f"{temporary}/baseline")
    with beam_pipeline as pipeline:
        of_model = [shard for of_split in shards.values() for shard in of_split]
        score = ScoreShards(of_model, serving_model_dir(model.uri), transform_graph.uri, settings)
        _ = pipeline | "ScoreModel" >> score
        if not notes:
            baseline_path = serving_model_dir(baseline_model.uri)
            score = ScoreShards(baseline_shards, baseline_path, transform_graph.uri, settings)
            _ = pipeline | "ScoreBaseline" >> score
    scores = {split: read_scores(of_split) for split, of_split in shards.items()}
    baseline = None
    if not notes:
        metrics = compute_metrics(settings, read_scores(baseline_shards), own_threshold)
        baseline = Baseline(baseline_model.uri, baseline_model.id, own_threshold, metrics)
    fileio.rmtree(temporary)

    verdict = judge(settings, scores, baseline, notes)
    _save_judged_model(model, judged_model, verdict)
    noise_levels = measure_noise_levels(
        [shard.examples for shard in shards["eval"]],
        scores["eval"],
        serving_model_dir(model.uri),
        settings,
    )
    content = evaluation_as_dict(settings, verdict, scores, baseline, noise_levels)
    logging.info("Evaluation: %s", content)
    write_evaluation(evaluation.uri, content)
    write_errors(evaluation.uri, scores, noisy=settings.noise > 0)
    write_blessing(blessing, verdict, model=model, judged_model=judged_model, baseline=baseline)


def _check_baseline(
    baseline_model: Artifact | None, config: EvaluationConfig
) -> tuple[float | None, list[str]]:
    """Returns the baseline's own threshold, or a note on why nothing can be compared."""
    if baseline_model is None:
        return None, ["there is no earlier blessed model to compare with"]
    try:
        return baseline_threshold(serving_model_dir(baseline_model.uri), config), []
    except ModelLoadError as fault:
        return None, [
            f"the latest blessed model does not fit these examples and is not compared: {fault}"
        ]


def _save_judged_model(model: Artifact, judged_model: Artifact, verdict: Verdict) -> None:
    """Saves the candidate with what it decides by set inside: what is pushed is what was judged."""
    destination = serving_model_dir(judged_model.uri)
    if verdict.threshold is None:
        io_utils.copy_dir(serving_model_dir(model.uri), destination)
        return
    write_with_threshold(
        serving_model_dir(model.uri), destination, verdict.threshold.value, verdict.normal_errors
    )
