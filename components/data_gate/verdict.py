"""The reasons for which the data gate refuses a split, each with a remedy."""

from collections.abc import Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from pipeline_config import LABEL_FEATURE, NORMAL_LABEL, SignalData

_Kind = anomalies_pb2.AnomalyInfo

_OUT_OF_RANGE = {
    _Kind.FLOAT_TYPE_BIG_FLOAT,
    _Kind.FLOAT_TYPE_SMALL_FLOAT,
    _Kind.INT_TYPE_BIG_INT,
    _Kind.INT_TYPE_SMALL_INT,
    _Kind.ENUM_TYPE_UNEXPECTED_STRING_VALUES,
}
_NOT_FINITE = {_Kind.FLOAT_TYPE_HAS_NAN, _Kind.FLOAT_TYPE_HAS_INF}
_MISSING = {
    _Kind.SCHEMA_MISSING_COLUMN,
    _Kind.FEATURE_TYPE_NOT_PRESENT,
    _Kind.FEATURE_TYPE_LOW_FRACTION_PRESENT,
    _Kind.FEATURE_TYPE_LOW_NUMBER_PRESENT,
    _Kind.FEATURE_TYPE_NO_VALUES,
}
_SHAPE = {
    _Kind.INVALID_FEATURE_SHAPE,
    _Kind.FEATURE_TYPE_LOW_NUMBER_VALUES,
    _Kind.FEATURE_TYPE_HIGH_NUMBER_VALUES,
}


def blocking_anomalies(
    split: str, anomalies: anomalies_pb2.Anomalies, schema: schema_pb2.Schema, schema_file: str
) -> list[str]:
    """Returns a sentence for each anomaly of severity ERROR: split, feature, fault and remedy.

    Args:
        split: Name of the split.
        anomalies: ExampleValidator's findings on it.
        schema: The curated schema that they were found by.
        schema_file: Its file, as a person finds it in the project.
    """
    sentences = []
    features = {feature.name: feature for feature in schema.feature}
    if anomalies.HasField("dataset_anomaly_info"):
        dataset = anomalies.dataset_anomaly_info
        if dataset.severity == anomalies_pb2.AnomalyInfo.ERROR:
            sentences.append(f"split '{split}': {_one_line(dataset.description)}")
    for name in sorted(anomalies.anomaly_info):
        info = anomalies.anomaly_info[name]
        if info.severity == anomalies_pb2.AnomalyInfo.ERROR:
            sentences.append(
                f"split '{split}', feature '{name}': "
                f"{info.short_description}: {_one_line(info.description).rstrip('.')}: "
                + _remedy(info, features.get(name, schema_pb2.Feature(name=name)), schema_file)
            )
    return sentences


def missing_examples(examples: Mapping[str, int]) -> list[str]:
    """Returns a sentence for each split without any example."""
    total = sum(examples.values())
    return [
        f"split '{split}' has no examples: there are {total} in all, too few for a share in each "
        "split: give more rows"
        for split, count in examples.items()
        if not count
    ]


def missing_classes(split: str, statistics: statistics_pb2.DatasetFeatureStatistics) -> list[str]:
    """Returns a sentence if a split of a detector lacks normal or abnormal examples.

    Training needs normal examples, and a threshold can be judged on both classes only.
    """
    label = _label_feature(statistics)
    # A schema whose label is not categorical has no counts.
    present = set(_counts_by_label(label)) or {int(label.num_stats.min), int(label.num_stats.max)}
    absent = [
        f"{name} ({value})"
        for value, name in ((1, "normal"), (0, "abnormal"))
        if value not in present
    ]
    if not absent or statistics.num_examples == 0:
        return []
    return [
        f"split '{split}', feature '{LABEL_FEATURE}': no {' and no '.join(absent)} example among "
        f"its {statistics.num_examples}: give more rows of that class"
    ]


def label_counts(statistics: statistics_pb2.DatasetFeatureStatistics) -> dict[str, int]:
    """Returns how many examples of a detector's split are `normal` and `abnormal`."""
    counts = _counts_by_label(_label_feature(statistics))
    normal = counts.pop(NORMAL_LABEL, 0)
    return {"normal": normal, "abnormal": sum(counts.values())}


def few_normal(labels: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Returns a sentence if most examples are labelled abnormal: the labels may be the wrong way.

    Args:
        labels: `label_counts` by split.
    """
    normal = sum(counts["normal"] for counts in labels.values())
    abnormal = sum(counts["abnormal"] for counts in labels.values())
    if normal >= abnormal:
        return []
    return [
        f"only {normal:,} of {normal + abnormal:,} examples are labelled normal "
        f"({LABEL_FEATURE} {NORMAL_LABEL}), {abnormal:,} abnormal: the model learns what "
        f"{LABEL_FEATURE} {NORMAL_LABEL} looks like and takes all else for an anomaly; "
        "if 0 means normal in these files, swap 0 and 1 in their last column"
    ]


def _label_feature(
    statistics: statistics_pb2.DatasetFeatureStatistics,
) -> statistics_pb2.FeatureNameStatistics:
    found = (f for f in statistics.features if list(f.path.step) == [LABEL_FEATURE])
    return next(found, statistics_pb2.FeatureNameStatistics())


def _counts_by_label(feature: statistics_pb2.FeatureNameStatistics) -> dict[int, int]:
    buckets = feature.string_stats.rank_histogram.buckets
    return {int(bucket.label): int(bucket.sample_count) for bucket in buckets}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _remedy(info: anomalies_pb2.AnomalyInfo, feature: schema_pb2.Feature, schema_file: str) -> str:
    """Returns the remedy of an anomaly, as the end of a sentence."""
    kinds = {reason.type for reason in info.reason}
    entry = f"feature '{feature.name}' in {schema_file}"
    if kinds & _NOT_FINITE:
        return "take those examples out of the data, or fill the values in"
    if kinds & _OUT_OF_RANGE and feature.name == LABEL_FEATURE:
        return (
            f"labels run {_range(feature)}: correct them, or widen int_domain of {entry} if the "
            "model is to see other classes"
        )
    if kinds & _OUT_OF_RANGE:
        domain = "float_domain" if feature.HasField("float_domain") else "int_domain"
        return (
            f"values run {_range(feature)}: if these are right, such as another unit, widen min "
            f"and max of {domain} of {entry}, or else correct the data"
        )
    if kinds & _SHAPE and feature.name == SignalData.feature:
        return "give rows of as many samples as data.length says"
    if kinds & (_SHAPE | _MISSING):
        return f"complete the data, or change presence or shape of {entry}"
    if _Kind.SCHEMA_NEW_COLUMN in kinds:
        return f"take it out of the data, or add it to {schema_file}"
    return f"correct the data, or change {entry} if the data is right"


def _range(feature: schema_pb2.Feature) -> str:
    domain = feature.float_domain if feature.HasField("float_domain") else feature.int_domain
    return f"from {domain.min:g} to {domain.max:g}"
