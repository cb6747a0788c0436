"""Scoring as a Beam pipeline: what comes out, in which order, and how often a model is loaded."""

from pathlib import Path
from typing import Any
from unittest import mock

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
from tfx.utils import path_utils
from tiny_models import make_beats

from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.scores import Scores, ScoreShards, list_shards, read_scores
from pipeline_config import ThresholdEvaluatorConfig

IN_THIS_PROCESS = ("--runner=FnApiRunner",)
IN_TWO_PROCESSES = (
    "--runner=FnApiRunner",
    "--direct_running_mode=multi_processing",
    "--direct_num_workers=2",
)


@pytest.fixture
def shards(bench: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Shards of 70, 0 and 33 examples; at 16 a batch the last of each is cut short."""
    first = make_beats(normal=50, anomalies=20, seed=1)
    none = (first[0][:0], first[1][:0])
    last = make_beats(normal=30, anomalies=3, seed=2)
    bench.write("eval", first, none, last)
    return [first, none, last]


def score(bench: Any, directory: Path, options: tuple[str, ...]) -> Scores:
    gate = ThresholdEvaluatorConfig(batch_size=16)
    config = EvaluationConfig(feature="signal", shape=(12,), loss="mae", noise=0.0, gate=gate)
    model = path_utils.serving_model_dir(bench.detector(level=0.5, length=12).uri)
    of_split = list_shards([bench.data], "eval", str(directory))
    with beam.Pipeline(argv=list(options)) as pipeline:
        _ = pipeline | ScoreShards(of_split, model, bench.transform_graph.uri, config)
    return read_scores(of_split)


def test_the_order_is_that_of_files_and_records(bench: Any, shards: Any, tmp_path: Path) -> None:
    scores = score(bench, tmp_path, IN_THIS_PROCESS)
    signals = np.concatenate([shard[0] for shard in shards])
    np.testing.assert_allclose(scores.error, np.abs(signals - 0.5).mean(axis=1), rtol=1e-5)
    np.testing.assert_array_equal(scores.label, np.concatenate([shard[1] for shard in shards]))


@pytest.mark.usefixtures("shards")
def test_a_worker_loads_the_model_once(bench: Any, tmp_path: Path) -> None:
    with mock.patch.object(tf.saved_model, "load", wraps=tf.saved_model.load) as load:
        score(bench, tmp_path, IN_THIS_PROCESS)
    assert load.call_count == 1


@pytest.mark.usefixtures("shards")
def test_the_number_of_workers_changes_no_bit(bench: Any, tmp_path: Path) -> None:
    alone = score(bench, tmp_path / "alone", IN_THIS_PROCESS)
    together = score(bench, tmp_path / "together", IN_TWO_PROCESSES)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
