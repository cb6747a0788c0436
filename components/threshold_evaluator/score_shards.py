"""Reconstruction errors of all examples, as a Beam pipeline over the files of a split."""

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from apache_beam.ml.inference.base import ModelHandler, RunInference
from tfx.dsl.io import fileio
from tfx.types.artifact import Artifact

from components.raw_examples import records, split_files
from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.scoring import Scorer, Scores


class Shard(NamedTuple):
    """One TFRecord file of a split."""

    split: str
    number: int
    path: str


class Batch(NamedTuple):
    """Consecutive records of a shard.

    Attributes:
        shard: Where they are from.
        number: Place of the batch in the shard, from 0.
        examples: bytes [N], serialized tf.Examples.
    """

    shard: Shard
    number: int
    examples: npt.NDArray[np.object_]


NumberedScores = tuple[int, Scores]
"""Scores of a batch, and its place in the shard."""


class ScoreHandler(ModelHandler[Batch, tuple[Shard, NumberedScores], Scorer]):
    """How RunInference loads a model, once a worker process, and scores with it.

    Batches come as they were cut, by `read_batches`: cut by Beam they would differ from runner to
    runner, and with them the last bits of the errors.

    Args:
        model_directory: SavedModel with a `score` signature.
        transform_graph: URI of Transform's graph.
        config: Feature, shape and noise.
    """

    def __init__(
        self, model_directory: str, transform_graph: str, config: EvaluationConfig
    ) -> None:
        # One of our batches at a time. A model of a few kilobytes is not shared across processes.
        super().__init__(min_batch_size=1, max_batch_size=1)
        self._model_directory = model_directory
        self._transform_graph = transform_graph
        self._config = config

    def load_model(self) -> Scorer:
        """Loads the model."""
        return Scorer(self._model_directory, self._transform_graph, self._config)

    def run_inference(
        self,
        batch: Sequence[Batch],
        model: Scorer,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[tuple[Shard, NumberedScores]]:
        """Yields the scores of each of our batches."""
        for own in batch:
            scores = tf.nest.map_structure(np.asarray, model.score(tf.constant(own.examples)))
            yield own.shard, (own.number, scores)

    def get_num_bytes(self, batch: Sequence[Batch]) -> int:
        """Returns the examples' bytes; Beam would pickle them to count."""
        return sum(len(example) for own in batch for example in own.examples)


class ScoreShards(beam.PTransform):
    """Scores each shard and writes its errors to `output_directory`.

    A shard is the unit of work: gzipped TFRecord files cannot be split. Within one, tf.data cuts
    whole batches, so no Python runs for a single example and a few batches at most are in memory.
    A retried shard writes the same file again.

    Args:
        model_directory: SavedModel with a `score` signature, loaded once a worker.
        transform_graph: URI of Transform's graph.
        config: Feature, shape, noise and batch size.
        output_directory: Where the errors go; read them with `read_scores`.
    """

    def __init__(
        self,
        model_directory: str,
        transform_graph: str,
        config: EvaluationConfig,
        output_directory: str,
    ) -> None:
        super().__init__()
        self._handler = ScoreHandler(model_directory, transform_graph, config)
        self._batch_size = config.gate.batch_size
        self._output_directory = output_directory

    def expand(self, shards: beam.PCollection[Shard]) -> beam.PCollection[str]:
        """Maps shards to the paths of their errors."""
        return (
            shards
            | "SpreadShards" >> beam.Reshuffle()
            | "ReadBatches" >> beam.FlatMap(read_batches, self._batch_size)
            | "Score" >> RunInference(self._handler)
            | "ByShard" >> beam.GroupByKey()
            | "Write" >> beam.Map(_write_shard, self._output_directory)
        )


def read_batches(shard: Shard, batch_size: int) -> Iterator[Batch]:
    """Yields a file's records in order, `batch_size` at a time; one empty batch if it has none."""
    batches = records([shard.path]).batch(batch_size).prefetch(1)
    number = -1
    for number, examples in enumerate(batches.as_numpy_iterator()):
        yield Batch(shard, number, examples)
    if number < 0:
        yield Batch(shard, 0, np.empty(0, object))


def list_shards(examples: Sequence[Artifact], split: str) -> list[Shard]:
    """Returns the files of a split, sorted by path."""
    return [Shard(split, number, path) for number, path in enumerate(split_files(examples, split))]


def read_scores(output_directory: str, shards: Sequence[Shard]) -> Scores:
    """Joins what `ScoreShards` wrote for the shards of one split."""
    parts = []
    for shard in shards:
        with fileio.open(_scores_path(output_directory, shard), "rb") as file:
            arrays = np.load(io.BytesIO(file.read()))
            parts.append(Scores(*(arrays[name] for name in Scores._fields)))
    return _concatenate(parts)


def _write_shard(scored_shard: tuple[Shard, Iterable[NumberedScores]], directory: str) -> str:
    shard, scored = scored_shard
    in_order = sorted(scored, key=lambda numbered: numbered[0])
    scores = _concatenate([Scores(*arrays) for _, arrays in in_order])
    path = _scores_path(directory, Shard(*shard))
    buffer = io.BytesIO()
    np.savez(buffer, **scores._asdict())
    fileio.makedirs(path.rpartition("/")[0])
    with fileio.open(path, "wb") as file:
        file.write(buffer.getvalue())
    return path


def _scores_path(directory: str, shard: Shard) -> str:
    return f"{directory}/{shard.split}-{shard.number:05d}.npz"


def _concatenate(parts: Sequence[Scores]) -> Scores:
    empty = Scores(np.empty(0, np.float32), np.empty(0, np.int16), np.empty(0, np.float32))
    return Scores(*(np.concatenate(column) for column in zip(empty, *parts, strict=True)))
