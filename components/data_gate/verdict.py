"""The reasons for which the data gate refuses a split, each with a remedy."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.conformal import too_few_held_out
from data.formats.labels import convention_notice, no_normal_fault
from pipeline_config import (
    AAMI_NORMAL_BEATS,
    ABNORMAL_LABEL,
    CALIBRATION_SPLIT,
    CLASS_FEATURE,
    LABEL_FEATURE,
    NORMAL_LABEL,
    SPLITS,
    UNLABELLED,
    SignalData,
)

UNLABELLED_KEY = "unlabelled"
"""Key of `label_counts` beside `normal` and `abnormal`."""


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


def missing_classes(
    labels: Mapping[str, Mapping[str, int]],
    classes: Mapping[str, int] = MappingProxyType({}),
    normal: Sequence[str] = (),
    *,
    presumes_normal: bool = True,
) -> list[str]:
    """Returns a sentence for each split of a detector that lacks a class it needs.

    If every example has a label, each split needs both classes: training needs normal examples,
    and a threshold can be judged on both classes only. If some have none, the training split needs
    examples that are normal or presumed so. What is held out of it needs no others in either case.

    Args:
        labels: `label_counts` by split.
        classes: `class_counts` of all splits.
        normal: Value of `data.normal`.
        presumes_normal: Whether examples without a label are presumed normal.
    """
    sentences = []
    for split, counts in labels.items():
        if split == CALIBRATION_SPLIT:
            sentences += _missing_normal(split, counts, "hold out", presumes_normal)
    if any(UNLABELLED_KEY in counts for counts in labels.values()):
        train = _missing_normal(SPLITS[0], labels[SPLITS[0]], "train on", presumes_normal)
        return [*train, *sentences]
    if not any(counts["normal"] for counts in labels.values()) and (
        fault := no_normal_fault(classes, normal)
    ):
        return [fault]
    for split, counts in labels.items():
        if split == CALIBRATION_SPLIT:
            continue
        values = {"normal": NORMAL_LABEL, "abnormal": ABNORMAL_LABEL}
        absent = [f"{name} ({value})" for name, value in values.items() if not counts[name]]
        if absent and sum(counts.values()):
            sentences.append(
                f"split '{split}', feature '{LABEL_FEATURE}': no {' and no '.join(absent)} "
                f"example among its {sum(counts.values())}: give more rows of that class"
            )
    return sentences


def too_few_normal(
    labels: Mapping[str, Mapping[str, int]], promised_rate: float, *, presumes_normal: bool
) -> list[str]:
    """Returns a sentence if a detector's promise takes more held-out normal examples.

    That there are none of them is for `missing_examples` and `missing_classes` to say.

    Args:
        labels: `label_counts` by split.
        promised_rate: False-alarm rate of `PipelineConfig.promised_rate`; 0 promises nothing.
        presumes_normal: Whether examples without a label are presumed normal.
    """
    counts = labels.get(CALIBRATION_SPLIT, {})
    normal = counts.get("normal", 0)
    if presumes_normal:
        normal += counts.get(UNLABELLED_KEY, 0)
    sentence = too_few_held_out(promised_rate, normal) if promised_rate and normal else None
    return [sentence] if sentence else []


def _missing_normal(
    split: str, counts: Mapping[str, int], purpose: str, presumes_normal: bool
) -> list[str]:
    total = sum(counts.values())
    if not total or counts["normal"] or (presumes_normal and counts.get(UNLABELLED_KEY)):
        return []
    advice = (
        "give normal rows, or"
        if presumes_normal
        else "--set data.unlabelled=train presumes normal those without a label, or"
    )
    return [
        f"split '{split}', feature '{LABEL_FEATURE}': no normal ({NORMAL_LABEL}) example among its "
        f"{total} to {purpose}: {advice} --set data.normal=NAME says which class is normal"
    ]


def missing_labels(labels: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Returns a sentence if some examples have labels, and those to evaluate by are of one class.

    Args:
        labels: `label_counts` by split.
    """
    counts = labels.get(SPLITS[1], {})
    if UNLABELLED_KEY not in counts or bool(counts["normal"]) == bool(counts["abnormal"]):
        return []
    present, absent = sorted(("normal", "abnormal"), key=lambda name: -counts[name])
    return [
        f"all {counts[present]:,} labelled examples of the split '{SPLITS[1]}' are {present}: "
        f"accuracy, roc_auc and what else takes both classes is not measured without {absent} ones"
    ]


def label_counts(statistics: statistics_pb2.DatasetFeatureStatistics) -> dict[str, int]:
    """Returns how many examples of a detector's split are `normal`, `abnormal` and `unlabelled`.

    The last is left out if there are none.
    """
    counts = _counts_by_label(_feature(statistics, LABEL_FEATURE))
    normal, unlabelled = counts.pop(NORMAL_LABEL, 0), counts.pop(UNLABELLED, 0)
    found = {"normal": normal, "abnormal": sum(counts.values())}
    return found | ({UNLABELLED_KEY: unlabelled} if unlabelled else {})


def class_counts(statistics: statistics_pb2.DatasetFeatureStatistics) -> dict[str, int]:
    """Returns how many examples of a detector's split each class has, by its own name.

    Empty if the examples have no names of classes.
    """
    buckets = _feature(statistics, CLASS_FEATURE).string_stats.rank_histogram.buckets
    return {bucket.label: int(bucket.sample_count) for bucket in buckets if bucket.label}


def few_normal(
    labels: Mapping[str, Mapping[str, int]], classes: Mapping[str, int], normal: Sequence[str]
) -> list[str]:
    """Returns a sentence if most labels are abnormal: the labels may be the wrong way.

    Args:
        labels: `label_counts` by split.
        classes: `class_counts` of all splits; a name that is empty does not count.
        normal: Value of `data.normal`.
    """
    found = {
        name: sum(counts[name] for counts in labels.values()) for name in ("normal", "abnormal")
    }
    if found["normal"] >= found["abnormal"]:
        return []
    classes = {name: count for name, count in classes.items() if name}
    if not classes:
        classes, normal = {"1": found["normal"], "0": found["abnormal"]}, ("1",)
    elif found["normal"] and not classes.keys() & {*normal}:
        # What the default means in WFDB annotations.
        normal = AAMI_NORMAL_BEATS
    notice = convention_notice(classes, normal)
    return [notice] if notice else []


def _feature(
    statistics: statistics_pb2.DatasetFeatureStatistics, name: str
) -> statistics_pb2.FeatureNameStatistics:
    found = (f for f in statistics.features if list(f.path.step) == [name])
    return next(found, statistics_pb2.FeatureNameStatistics())


def _counts_by_label(feature: statistics_pb2.FeatureNameStatistics) -> dict[int, int]:
    buckets = feature.string_stats.rank_histogram.buckets
    if buckets:
        return {int(bucket.label): int(bucket.sample_count) for bucket in buckets}
    # A schema whose label is not categorical has a histogram of numbers instead.
    counts: Counter[int] = Counter()
    for histogram in feature.num_stats.histograms:
        if histogram.type == statistics_pb2.Histogram.STANDARD:
            for bucket in histogram.buckets:
                label = round((bucket.low_value + bucket.high_value) / 2)
                counts[label] += round(bucket.sample_count)
    return dict(counts)


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
