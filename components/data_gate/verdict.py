"""What in a split's anomalies and statistics blocks a run."""

from collections.abc import Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.data_gate.remedies import remedy
from pipeline_config import LABEL_FEATURE, NORMAL_LABEL


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
                + remedy(info, features.get(name, schema_pb2.Feature(name=name)), schema_file)
            )
    return sentences


def missing_examples(examples: Mapping[str, int]) -> list[str]:
    """Returns a sentence for each split without any example.

    Args:
        examples: How many there are, by split.
    """
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
    present = _label_values(statistics)
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
    for feature in statistics.features:
        if list(feature.path.step) == [LABEL_FEATURE]:
            buckets = feature.string_stats.rank_histogram.buckets
            counts = {int(bucket.label): int(bucket.sample_count) for bucket in buckets}
            normal = counts.pop(NORMAL_LABEL, 0)
            return {"normal": normal, "abnormal": sum(counts.values())}
    return {"normal": 0, "abnormal": 0}


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


def _label_values(statistics: statistics_pb2.DatasetFeatureStatistics) -> set[int]:
    for feature in statistics.features:
        if list(feature.path.step) != [LABEL_FEATURE]:
            continue
        buckets = feature.string_stats.rank_histogram.buckets
        if buckets:
            return {int(bucket.label) for bucket in buckets}
        return {int(feature.num_stats.min), int(feature.num_stats.max)}
    return set()


def _one_line(text: str) -> str:
    return " ".join(text.split())
