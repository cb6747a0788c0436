"""How far the newest span is from the one before, by TFDV's drift comparators."""

import dataclasses

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from pipeline_config import PIXELS_FEATURE

Measurement = anomalies_pb2.DriftSkewInfo.Measurement

HISTOGRAM_BUCKETS = 200
"""What the statistics are to be made with: with TFDV's 10, two random halves of the tutorial's
record differ by up to 0.09, with 200 by 0.002, while 1.5 times the scale is 0.06."""

_MEASURES = {
    Measurement.JENSEN_SHANNON_DIVERGENCE: ("Jensen-Shannon divergence", "gate.drift_threshold"),
    Measurement.L_INFTY: ("greatest change of a class's share", "gate.label_drift_threshold"),
}
"""What a person calls a measure, and the setting that limits it."""


@dataclasses.dataclass(frozen=True)
class Drift:
    """One feature's distance, 0 to 1: what was measured, and the setting that limits it."""

    feature: str
    measure: str
    distance: float
    limit: float
    setting: str

    @property
    def exceeds(self) -> bool:
        """Whether the distance is above the limit."""
        return self.distance > self.limit


def measure_drift(
    schema: schema_pb2.Schema,
    newest: statistics_pb2.DatasetFeatureStatisticsList,
    previous: statistics_pb2.DatasetFeatureStatisticsList,
    *,
    values_limit: float,
    label_limit: float,
) -> list[Drift]:
    """Compares each feature whose schema has a `drift_comparator`, by the measure named there.

    Pixels, which no curated schema has, are compared as other numeric features are. TFDV pools the
    values of a vector feature: it sees another scale, offset or spread, and not values that only
    changed places.

    Args:
        schema: The thresholds in it do not count.
        newest: Statistics of one split.
        previous: Statistics of another.
        values_limit: Greatest Jensen-Shannon divergence of a numeric feature's values that passes.
        label_limit: Greatest L-infinity distance of a categorical feature's shares that passes.

    Returns:
        One entry a feature, in the schema's order.
    """
    limited = schema_pb2.Schema()
    limited.CopyFrom(schema)
    pixels = limited.feature.add(name=PIXELS_FEATURE, type=schema_pb2.FLOAT)
    pixels.drift_comparator.jensen_shannon_divergence.SetInParent()
    for feature in limited.feature:
        comparator = feature.drift_comparator
        if comparator.HasField("jensen_shannon_divergence"):
            comparator.jensen_shannon_divergence.threshold = values_limit
        if comparator.HasField("infinity_norm"):
            comparator.infinity_norm.threshold = label_limit
    anomalies = tfdv.validate_statistics(newest, limited, previous_statistics=previous)
    by_feature = {".".join(info.path.step): info for info in anomalies.drift_skew_info}
    return [
        Drift(feature.name, words, measurement.value, measurement.threshold, setting)
        for feature in limited.feature
        if feature.name in by_feature
        for measurement in by_feature[feature.name].drift_measurements
        for words, setting in [_MEASURES[measurement.type]]
    ]


def drift_reasons(drifts: list[Drift]) -> list[str]:
    """Returns a sentence for each feature that drifted too far."""
    return [
        f"feature '{drift.feature}' of the newest span drifted from the span before: "
        f"{drift.measure} {drift.distance:.4g} exceeds {drift.setting}={drift.limit:g}: "
        f"if the change is meant, --set {drift.setting}=N lets it pass (1 turns this check off)"
        for drift in drifts
        if drift.exceeds
    ]
