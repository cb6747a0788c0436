"""What TFDV's comparators see between two spans, and what they do not."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.data_gate.drift import (
    Drift,
    drift_reasons,
    measure_drift,
)
from components.schema.curated import curated_schema
from pipeline_config import GateConfig
from tests.components.data_gate.statistics import statistics

LENGTH = 16
LIMITS = {
    "values_limit": GateConfig().drift_threshold,
    "label_limit": GateConfig().label_drift_threshold,
}

Statistics = statistics_pb2.DatasetFeatureStatisticsList
Change = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def of(signals: np.ndarray, labels: np.ndarray) -> Statistics:
    schema = curated_schema("signal.pbtxt", feature="signal", shape=signals.shape[1:])
    return statistics(zip(signals.tolist(), labels.tolist(), strict=True), schema)


def drifts(newest: Statistics, previous: Statistics, length: int = LENGTH) -> dict[str, Drift]:
    schema = curated_schema("signal.pbtxt", feature="signal", shape=(length,))
    return {drift.feature: drift for drift in measure_drift(schema, newest, previous, **LIMITS)}


def made_up(seed: int, rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, rows)
    wave = np.sin(np.linspace(0, 2 * np.pi, LENGTH)) * np.where(labels, 1.0, 2.0)[:, None]
    return wave + generator.normal(scale=0.3, size=(rows, LENGTH)), labels


@pytest.fixture(scope="module")
def previous() -> Statistics:
    return of(*made_up(seed=0))


CHANGES: list[tuple[str, Change, set[str]]] = [
    ("nothing", lambda x, y: (x, y), set()),
    ("three times the scale", lambda x, y: (3 * x, y), {"signal"}),
    ("an offset", lambda x, y: (x + 0.5, y), {"signal"}),
    ("upside down halves", lambda x, y: (np.abs(x), y), {"signal"}),
    ("other classes", lambda x, y: (x, np.where(np.arange(len(y)) % 10 == 0, y, 1)), {"label"}),
    ("time reversed", lambda x, y: (x[:, ::-1], y), set()),
]


@pytest.mark.parametrize(
    ("change", "found"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES]
)
def test_what_is_seen(previous: Statistics, change: Change, found: set[str]) -> None:
    newest = of(*change(*made_up(seed=1)))
    measured = drifts(newest, previous)
    assert set(measured) == {"signal", "label"}
    assert {name for name, drift in measured.items() if drift.exceeds} == found


def test_a_reason_names_feature_distance_and_limit(previous: Statistics) -> None:
    signals, labels = made_up(seed=1)
    measured = drifts(of(3 * signals, labels), previous)
    (reason,) = drift_reasons(list(measured.values()))
    assert "'signal'" in reason
    assert f"{measured['signal'].distance:.4g} exceeds gate.drift_threshold=0.03" in reason
    assert "\n" not in reason


def _record() -> tuple[np.ndarray, np.ndarray]:
    file = Path(os.environ.get("AEPIPE_DATA", "/nowhere"), "ecg", "ecg.csv")
    if not file.is_file():
        pytest.skip("AEPIPE_DATA does not name the real files")
    data = np.loadtxt(file, delimiter=",")
    return data[:, :-1], data[:, -1].astype(int)


@pytest.mark.parametrize("rows", [200, 1000, 2400])
def test_random_spans_of_the_tutorials_record_do_not_drift(rows: int) -> None:
    signals, labels = _record()
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(labels))
        first, second = order[:rows], order[rows : 2 * rows]
        measured = drifts(
            of(signals[second], labels[second]),
            of(signals[first], labels[first]),
            length=140,
        )
        assert measured["signal"].distance < LIMITS["values_limit"] / 3
        assert drift_reasons(list(measured.values())) == []


def test_a_rescaled_span_and_one_of_other_classes_drift_from_the_tutorials_record() -> None:
    signals, labels = _record()
    order = np.random.default_rng(0).permutation(len(labels))
    first, second = order[:1000], order[1000:2000]
    previous = of(signals[first], labels[first])
    for scale in (1 / 3, 1.5, 3, 1000):
        newest = of(scale * signals[second], labels[second])
        assert drifts(newest, previous, length=140)["signal"].exceeds
    mostly_abnormal = np.concatenate(
        [second[labels[second] == 1][:100], second[labels[second] == 0][:300]]
    )
    newest = of(signals[mostly_abnormal], labels[mostly_abnormal])
    assert drifts(newest, previous, length=140)["label"].exceeds
