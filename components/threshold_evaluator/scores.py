"""Reconstruction errors of all examples, as a Beam pipeline over the files of a split."""

import functools
import io
from collections.abc import Mapping, Sequence
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
from pipeline_config import NOISY_FEATURE, NORMAL_LABEL, TARGET_FEATURE, UNLABELLED

SCORE_SIGNATURE = "score"

_ID_DIGITS = 32
"""Hex digits of an example's id."""


class Scores(NamedTuple):
    """Errors of examples, in their order: of a batch, or of a split's files and their records.

    Attributes:
        error: float32 [N]; mean reconstruction error over the values of an example.
        label: int16 [N].
        noisy_error: float32 [N]; error of the noisy input itself, equal to doing nothing.
        class_name: bytes [N], UTF-8; empty if an example has no label, or is an image. None if it
            was not read.
        example_id: uint64 [N, 2]; digest of an example's content. None if it was not read.
    """

    error: np.ndarray
    label: np.ndarray
    noisy_error: np.ndarray
    class_name: np.ndarray | None = None
    example_id: np.ndarray | None = None

    @property
    def is_labelled(self) -> np.ndarray:
        """Whether a detector's example has a label: bool [N]."""
        return np.asarray(self.label != UNLABELLED)

    @property
    def is_normal(self) -> np.ndarray:
        """Whether a detector's example is labelled normal: bool [N]."""
        return np.asarray(self.label == NORMAL_LABEL)

    @property
    def is_abnormal(self) -> np.ndarray:
        """Whether a detector's example is labelled abnormal: bool [N]."""
        return self.is_labelled & ~self.is_normal


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


def examples_digest(scores: Mapping[str, Scores]) -> str | None:
    """Returns a digest of the examples of all splits, whatever order and split they are in.

    Returns:
        32 hex digits: the sum of the examples' ids, each half modulo 2^64, as
        `bounds.TUTORIAL_EXAMPLES` has them; None if the ids were not read.
    """
    total = np.zeros(2, np.uint64)
    for of_split in scores.values():
        if of_split.example_id is None:
            return None
        total += of_split.example_id.sum(axis=0, dtype=np.uint64)
    return "".join(f"{int(half):016x}" for half in total)


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
        raw = parse(examples, self._config.feature, self._config.shape)
        given = {self._config.feature: raw.values, "noise": self._noise(examples)}
        outputs = self._model(**given)
        return Scores(
            outputs["error"], raw.label, outputs["noisy_error"], raw.class_name, raw.example_id
        )

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
    parts = [_as_arrays(Scores(*map(np.asarray, scorer.score(batch)))) for batch in batches]
    write_arrays(path, _concatenate(parts)._asdict())


def _as_arrays(batch: Scores) -> Scores:
    """Returns scores whose texts, Python objects as TensorFlow has them, are plain arrays."""
    assert batch.class_name is not None, "parse reads it"
    assert batch.example_id is not None, "parse reads it"
    # An example that was written without an id counts as one of an id of zeros.
    digits = b"".join(one.rjust(_ID_DIGITS, b"0") for one in batch.example_id.tolist())
    identity = np.frombuffer(bytes.fromhex(digits.decode()), ">u8").astype(np.uint64)
    return batch._replace(
        class_name=batch.class_name.astype(np.bytes_), example_id=identity.reshape(-1, 2)
    )


def _concatenate(parts: Sequence[Scores]) -> Scores:
    empty = Scores(
        np.empty(0, np.float32),
        np.empty(0, np.int16),
        np.empty(0, np.float32),
        np.empty(0, np.bytes_),
        np.empty((0, 2), np.uint64),
    )
    return Scores(*(np.concatenate(column) for column in zip(empty, *parts, strict=True)))
