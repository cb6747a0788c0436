"""What in a split's anomalies and statistics blocks a run."""

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from pipeline_config import LABEL_FEATURE


def blocking_anomalies(split: str, anomalies: anomalies_pb2.Anomalies) -> list[str]:
    """Returns a sentence for each anomaly of severity ERROR, naming split, feature and fault."""
    sentences = []
    if anomalies.HasField("dataset_anomaly_info"):
        dataset = anomalies.dataset_anomaly_info
        if dataset.severity == anomalies_pb2.AnomalyInfo.ERROR:
            sentences.append(f"split '{split}': {_one_line(dataset.description)}")
    for name in sorted(anomalies.anomaly_info):
        info = anomalies.anomaly_info[name]
        if info.severity == anomalies_pb2.AnomalyInfo.ERROR:
            sentences.append(
                f"split '{split}', feature '{name}': "
                f"{info.short_description}: {_one_line(info.description)}"
            )
    return sentences


def missing_examples(split: str, statistics: statistics_pb2.DatasetFeatureStatistics) -> list[str]:
    """Returns a sentence where a split has no example at all."""
    if statistics.num_examples > 0:
        return []
    return [f"split '{split}' has no examples"]


def missing_classes(split: str, statistics: statistics_pb2.DatasetFeatureStatistics) -> list[str]:
    """Returns a sentence where a split of a detector lacks normal or abnormal examples.

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
    return [f"split '{split}', feature '{LABEL_FEATURE}': no {' and no '.join(absent)} example"]


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
