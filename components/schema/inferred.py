"""A schema inferred from data, as a file for a person to review."""

import math
from collections.abc import Iterable, Sequence

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import (
    DatasetFeatureStatisticsList,
    FeatureNameStatistics,
)

from pipeline_config import CLASS_FEATURE, ID_FEATURE, LABEL_FEATURE

SLACK = 1.0
"""How far values may lie beyond those seen on each side, as a fraction of the range seen: one
unusual example is no other unit."""

_MOST_CLASSES = 20
"""Classes that a comment names."""


def inferred_schema(
    splits: Sequence[DatasetFeatureStatisticsList], curated: schema_pb2.Schema
) -> schema_pb2.Schema:
    """Infers a schema with TFDV.

    Types, presence and shapes are as TFDV finds them. The range of numbers is what was seen, with
    `SLACK`; a label's is the curated one, or wider if that was seen. The limits of skew and drift
    are the curated ones. A class's names are not limited: a new one is abnormal, not wrong.

    Args:
        splits: The statistics of each split.
        curated: The pipeline's curated schema.
    """
    found = tfdv.infer_schema(splits[0], infer_feature_shape=True)
    for statistics in splits[1:]:
        found = tfdv.update_schema(found, statistics, infer_feature_shape=True)
    by_name = {feature.name: feature for feature in found.feature}
    schema = schema_pb2.Schema()
    for known in curated.feature:
        feature = schema.feature.add()
        feature.CopyFrom(known)
        if known.name in by_name:
            for field in ("type", "presence", "shape"):
                feature.ClearField(field)
            inferred = by_name[known.name]
            feature.type = inferred.type
            feature.presence.CopyFrom(inferred.presence)
            if inferred.HasField("shape"):
                feature.shape.CopyFrom(inferred.shape)
        seen = seen_range(splits, known.name)
        if seen and feature.HasField("float_domain"):
            feature.float_domain.min, feature.float_domain.max = _widened(*seen)
        if seen and feature.HasField("int_domain"):
            feature.int_domain.min = min(feature.int_domain.min, int(seen[0]))
            feature.int_domain.max = max(feature.int_domain.max, int(seen[1]))
    return schema


def commented(
    schema: schema_pb2.Schema, splits: Sequence[DatasetFeatureStatisticsList], header: Iterable[str]
) -> str:
    """Returns a schema's text with what was seen beside what is allowed.

    Args:
        schema: Of `inferred_schema`.
        splits: What it was inferred from.
        header: Lines to begin with.
    """
    lines = [f"# {line}" for line in header]
    for feature in schema.feature:
        lines += ["", *(f"# {line}" for line in _remarks(feature, splits)), "feature {"]
        text = text_format.MessageToString(feature, use_short_repeated_primitives=True)
        lines += [f"  {line}" for line in text.splitlines()] + ["}"]
    return "\n".join(lines) + "\n"


def seen_range(
    splits: Sequence[DatasetFeatureStatisticsList], feature: str
) -> tuple[float, float] | None:
    """Returns the least and the greatest value of a number or a category; None for other kinds."""
    seen: list[float] = []
    for found in _of_feature(splits, feature):
        if found.HasField("num_stats"):
            seen += [found.num_stats.min, found.num_stats.max]
        elif found.type == FeatureNameStatistics.INT:
            # A category's values are counted as texts.
            seen += [float(name) for name in _counts([found])]
    return (min(seen), max(seen)) if seen else None


def _remarks(
    feature: schema_pb2.Feature, splits: Sequence[DatasetFeatureStatisticsList]
) -> list[str]:
    seen = seen_range(splits, feature.name)
    if feature.name == CLASS_FEATURE:
        counts = _counts(_of_feature(splits, feature.name))
        shown = [f"{name!r} ({count:,})" for name, count in list(counts.items())[:_MOST_CLASSES]]
        more = ", ..." if len(counts) > _MOST_CLASSES else ""
        return [
            f"The class's own name, empty without a label. Seen: {', '.join(shown)}{more}.",
            "Any other name is allowed: an unknown class is abnormal.",
        ]
    if feature.name == LABEL_FEATURE and seen:
        return [f"Seen: {seen[0]:g} to {seen[1]:g}. Others than min to max are refused."]
    if feature.name == ID_FEATURE:
        return ["Digest of the example's content."]
    if feature.HasField("float_domain") and seen:
        return [
            f"Seen: {seen[0]:g} to {seen[1]:g}; allowed is that range and as much on each side.",
            "REVIEW: can a right value lie beyond min and max? Values beyond are refused as of",
            "another unit or of a broken sensor. The limits of drift are settings: gate.*.",
        ]
    return ["The limits of drift are settings: gate.*."]


def _of_feature(
    splits: Sequence[DatasetFeatureStatisticsList], name: str
) -> list[FeatureNameStatistics]:
    return [
        feature
        for statistics in splits
        for dataset in statistics.datasets
        for feature in dataset.features
        if list(feature.path.step) == [name]
    ]


def _counts(features: Iterable[FeatureNameStatistics]) -> dict[str, int]:
    """Returns how often each text was seen, the most frequent first."""
    counts: dict[str, int] = {}
    for feature in features:
        for bucket in feature.string_stats.rank_histogram.buckets:
            counts[bucket.label] = counts.get(bucket.label, 0) + int(bucket.sample_count)
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _widened(least: float, greatest: float) -> tuple[float, float]:
    """Returns a range with slack on each side, its ends rounded outwards to two digits."""
    slack = SLACK * ((greatest - least) or abs(least) or 1.0)
    digits = 1 - math.floor(math.log10(slack))
    step = 10.0**-digits
    low = math.floor((least - slack) / step) * step
    high = math.ceil((greatest + slack) / step) * step
    return round(low, digits), round(high, digits)
