"""Reconstruction errors of all examples, as a Beam pipeline over the files of a split."""

import functools
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.saved.saved_transform_io_v2 import SavedModelLoader
from tfx.dsl.io import fileio
from tfx.types.artifact import Artifact

from components.raw_examples import parse, records, split_files
from components.scorer import ModelLoadError, SavedModel, ScoreFn
from components.threshold_evaluator.config import EvaluationConfig
from pipeline_config import NOISY_FEATURE, TARGET_FEATURE

SCORE_SIGNATURE = "score"


class Scores(NamedTuple):
    """Errors of examples, in their order: of a batch, or of a split's files and their records.

    Attributes:
        error: float32 [N]; mean reconstruction error over the values of an example.
        label: int16 [N].
        noisy_error: float32 [N]; error of the noisy input itself, equal to doing nothing.
    """

    error: np.ndarray
    label: np.ndarray
    noisy_error: np.ndarray


class Shard(NamedTuple):
    """One TFRecord file of a split, and the file for its scores."""

    examples: str
    scores: str


def list_shards(examples: Sequence[Artifact], split: str, directory: str) -> list[Shard]:
    """Returns the files of a split, sorted by path, whose scores are to go to `directory`."""
    return [
        Shard(path, f"{directory}/{split}-{number:05d}.npz")
        for number, path in enumerate(split_files(examples, split))
    ]


@beam.ptransform_fn
def ScoreShards(  # noqa: N802 - named as Beam's transforms are.
    pipeline: beam.Pipeline,
    shards: Sequence[Shard],
    model_directory: str,
    transform_graph: str,
    config: EvaluationConfig,
) -> beam.PCollection[None]:
    """Writes the scores of each shard; `read_scores` reads them.

    A shard is the unit of work: gzipped TFRecord files cannot be split. Within one, tf.data cuts
    whole batches, so no Python runs for a single example and a few batches at most are in memory.
    A retried shard writes the same file again.

    Args:
        pipeline: The root that it is applied to.
        shards: Of any split.
        model_directory: SavedModel with a `score` signature, loaded once a worker.
        transform_graph: URI of Transform's graph, the source of the noise; read if
            `config.noise` is above 0.
        config: Feature, shape, noise and batch size.
    """
    load = functools.partial(_ExampleScorer, model_directory, transform_graph, config)
    return (
        pipeline
        | "ListShards" >> beam.Create(shards, reshuffle=False)
        | "SpreadShards" >> beam.Reshuffle()
        | "Score" >> beam.ParDo(ScoreFn(load, _score_shard))
    )


def read_scores(shards: Sequence[Shard]) -> Scores:
    """Joins what `ScoreShards` wrote for the shards of one split."""
    parts = []
    for shard in shards:
        with fileio.open(shard.scores, "rb") as file:
            arrays = np.load(io.BytesIO(file.read()))
            parts.append(Scores(*(arrays[name] for name in Scores._fields)))
    return _concatenate(parts)


def write_arrays(path: str, arrays: dict[str, Any]) -> None:
    """Writes an `.npz` file, on any file system of TFX's."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    fileio.makedirs(path.rpartition("/")[0])
    with fileio.open(path, "wb") as file:
        file.write(buffer.getvalue())


def baseline_threshold(model_directory: str, config: EvaluationConfig) -> float | None:
    """Returns an earlier model's own threshold; None for a model that only reconstructs.

    Raises:
        ModelLoadError: It does not take the examples of this pipeline; the reason, on one line.
    """
    model = SavedModel(model_directory, SCORE_SIGNATURE)
    # Compared here, since an eager call of a signature does not check shapes.
    for name in (config.feature, "noise"):
        if name not in model.inputs:
            raise ModelLoadError(f"it has no input '{name}'")
        shape = model.inputs[name].shape
        if not shape.is_compatible_with([None, *config.shape]):
            raise ModelLoadError(
                f"its input '{name}' has the shape {tuple(shape[1:])}, "
                f"the examples have {config.shape}"
            )
    if not config.is_detector:
        return None
    threshold = getattr(model.model, "threshold", None)
    if threshold is None or not np.isfinite(threshold.numpy()):
        raise ModelLoadError("it has no threshold")
    return float(threshold.numpy())


class _ExampleScorer:
    """A loaded model that scores serialized examples."""

    def __init__(self, model_directory: str, transform_graph: str, config: EvaluationConfig):
        self.batch_size = config.gate.batch_size
        self._config = config
        self._model = SavedModel(model_directory, SCORE_SIGNATURE)
        if config.noise > 0:
            transform = tft.TFTransformOutput(transform_graph)
            self._raw_spec = transform.raw_feature_spec()
            # Not `transform_features_layer`: that is a tf_keras layer, beside our Keras 3.
            self._transform = SavedModelLoader(transform.transform_savedmodel_dir)
        self.score = tf.function(
            self._score, input_signature=[tf.TensorSpec([None], tf.string, name="examples")]
        )

    def _score(self, examples: tf.Tensor) -> Scores:
        raw, label = parse(examples, self._config.feature, self._config.shape)
        outputs = self._model(**{self._config.feature: raw, "noise": self._noise(examples)})
        return Scores(outputs["error"], label, outputs["noisy_error"])

    def _noise(self, examples: tf.Tensor) -> tf.Tensor:
        if self._config.noise == 0:
            return tf.zeros([tf.size(examples), *self._config.shape])
        transformed = self._transform.apply_transform_model(
            tf.io.parse_example(examples, self._raw_spec)
        )
        return transformed[NOISY_FEATURE] - transformed[TARGET_FEATURE]


def _score_shard(scorer: _ExampleScorer, shard: Shard) -> None:
    # Beam may hand the shard over as a plain tuple.
    examples, path = shard
    batches = records([examples]).batch(scorer.batch_size).prefetch(1)
    parts = [Scores(*map(np.asarray, scorer.score(batch))) for batch in batches]
    write_arrays(path, _concatenate(parts)._asdict())


def _concatenate(parts: Sequence[Scores]) -> Scores:
    empty = Scores(np.empty(0, np.float32), np.empty(0, np.int16), np.empty(0, np.float32))
    return Scores(*(np.concatenate(column) for column in zip(empty, *parts, strict=True)))
