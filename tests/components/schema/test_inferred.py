"""A schema inferred from statistics: TFDV's, with slack and with remarks for a person."""

import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.data_gate.verdict import blocking_anomalies
from components.schema.curated import curated_schema
from components.schema.inferred import commented, inferred_schema
from tests.components.data_gate.statistics import statistics

Rows = list[tuple[list[float], int]]

CURATED = curated_schema("signal.pbtxt", feature="signal", shape=(3,))
TRAIN: Rows = [([900.0, 1000.0, 1100.0], 1), ([950.0, 1000.0, 1050.0], 1)] * 5
EVAL: Rows = [([880.0, 1000.0, 1120.0], 0)] * 5


def inferred(*splits: Rows) -> schema_pb2.Schema:
    return inferred_schema([statistics(rows, CURATED) for rows in splits], CURATED)


def refused(rows: Rows, schema: schema_pb2.Schema) -> list[str]:
    anomalies = tfdv.validate_statistics(statistics(rows, schema), schema)
    return blocking_anomalies("train", anomalies, schema, "heart.pbtxt")


def test_the_range_of_all_splits_is_widened_by_itself_on_each_side() -> None:
    (signal, *_) = inferred(TRAIN, EVAL).feature
    assert (signal.float_domain.min, signal.float_domain.max) == (640.0, 1360.0)
    assert signal.float_domain.disallow_nan
    assert [dim.size for dim in signal.shape.dim] == [3]


def test_it_takes_the_data_that_it_was_inferred_from_and_refuses_another_unit() -> None:
    schema = inferred(TRAIN, EVAL)
    assert refused(TRAIN, schema) == []
    assert refused([([900.0, 1000.0, 1300.0], 1)], schema) == []
    (reason,) = refused([([0.9, 1.0, 1.1], 1)], schema)
    assert "values run from 640 to 1360: if these are right" in reason
    assert "in heart.pbtxt" in reason


def test_limits_of_drift_and_the_labels_domain_are_the_curated_ones() -> None:
    schema, curated = inferred(TRAIN), {feature.name: feature for feature in CURATED.feature}
    assert [feature.name for feature in schema.feature] == list(curated)
    for feature in schema.feature:
        assert feature.drift_comparator == curated[feature.name].drift_comparator
        assert feature.skew_comparator == curated[feature.name].skew_comparator
        assert feature.int_domain == curated[feature.name].int_domain
    assert not schema.string_domain


@pytest.mark.parametrize(
    ("values", "domain"),
    [
        ([0.0, 0.0, 0.0], (-1.0, 1.0)),
        ([7.0, 7.0, 7.0], (0.0, 14.0)),
        ([-1e-6, 0.0, 2e-6], (-4e-6, 5e-6)),
        ([-3e7, 0.0, 1e7], (-7e7, 5e7)),
        ([1.0, 1.001, 1.002], (0.998, 1.004)),
    ],
)
def test_slack_of_any_scale(values: list[float], domain: tuple[float, float]) -> None:
    found = inferred([(values, 1)] * 3).feature[0].float_domain
    assert (found.min, found.max) == pytest.approx(domain, rel=1e-6)


def test_its_text_says_what_was_seen_and_is_a_schema() -> None:
    splits = [statistics(rows, CURATED) for rows in (TRAIN, EVAL)]
    schema = inferred_schema(splits, CURATED)
    text = commented(schema, splits, ["A header."])
    assert text.startswith("# A header.\n")
    assert "# Seen: 880 to 1120; allowed is that range and as much on each side." in text
    assert "Seen: '1' (10), '0' (5)." in text
    assert "# REVIEW: " in text
    assert text_format.Parse(text, schema_pb2.Schema()) == schema
