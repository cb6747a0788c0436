"""DataGate: acts on what ExampleValidator only notes, and on drift, which it does not look at."""

import json
from collections import Counter

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.experimental.simple_artifacts import File
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, Schema
from tfx.utils import io_utils

from components.data_gate.drift import drift_reasons, measure_drift
from components.data_gate.verdict import (
    blocking_anomalies,
    class_counts,
    few_normal,
    label_counts,
    missing_classes,
    missing_examples,
    missing_labels,
    too_few_normal,
)
from components.raw_examples import splits_of
from pipeline_config import NEWEST_SPLIT, PREVIOUS_SPLIT, GateRefusalError, SignalData

VERDICT_FILE = "verdict.json"


@component
def DataGate(  # noqa: N802 - TFX names a component as a class.
    statistics: InputArtifact[ExampleStatistics],
    anomalies: InputArtifact[ExampleAnomalies],
    schema: InputArtifact[Schema],
    # TFX names no type of ours to Kubeflow Pipelines: it takes `namespace.Class` and no properties.
    verdict: OutputArtifact[File],
    both_classes: Parameter[int],
    presumes_normal: Parameter[int],
    normal_classes: Parameter[str],
    promised_rate: Parameter[float],
    drift_threshold: Parameter[float],
    label_drift_threshold: Parameter[float],
    schema_file: Parameter[str],
    fingerprint: Parameter[str],
) -> None:
    """Stops the run if the data is not what the schema promises.

    Args:
        statistics: Statistics of all splits.
        anomalies: ExampleValidator's findings on the same splits.
        schema: The curated schema; its drift comparators name the measure of each feature.
        verdict: Counts by split, a detector's by class too, drift by feature and what a reader
            must not miss; written if nothing blocks.
        both_classes: 1 if each split must hold normal and abnormal examples, as far as they all
            have a label.
        presumes_normal: 1 if examples without a label are presumed normal.
        normal_classes: `data.normal`, as a JSON array.
        promised_rate: See `pipeline_config.PipelineConfig`.
        drift_threshold: See `pipeline_config.GateConfig`.
        label_drift_threshold: See `pipeline_config.GateConfig`.
        schema_file: Where a person changes the curated schema; for messages.
        fingerprint: Digest of this component's source, so that an edit runs it again.

    Raises:
        GateRefusalError: An anomaly of severity ERROR, an empty split, a missing class, too few
            normal examples for the promised rate, or drift; the message names each feature and its
            fault.
    """
    del fingerprint
    reasons: list[str] = []
    examples: dict[str, int] = {}
    curated = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri))
    labels: dict[str, dict[str, int]] = {}
    classes: Counter[str] = Counter()
    for split in splits_of(statistics):
        dataset = _read_statistics(statistics, split).datasets[0]
        examples[split] = dataset.num_examples
        if dataset.num_examples:
            found = _read_anomalies(anomalies, split)
            reasons += blocking_anomalies(split, found, curated, schema_file)
        if both_classes:
            labels[split] = label_counts(dataset)
            classes.update(class_counts(dataset))
    normal = json.loads(normal_classes)
    reasons += missing_classes(labels, classes, normal, presumes_normal=bool(presumes_normal))
    reasons += missing_examples(examples)
    reasons += too_few_normal(labels, promised_rate, presumes_normal=bool(presumes_normal))
    drifts = []
    if PREVIOUS_SPLIT in artifact_utils.decode_split_names(statistics.split_names):
        drifts = measure_drift(
            curated,
            _read_statistics(statistics, NEWEST_SPLIT),
            _read_statistics(statistics, PREVIOUS_SPLIT),
            values_limit=drift_threshold,
            label_limit=label_drift_threshold,
        )
    reasons += drift_reasons(drifts)
    if reasons:
        raise GateRefusalError("; ".join(reasons))
    fileio.makedirs(verdict.uri)
    with fileio.open(f"{verdict.uri}/{VERDICT_FILE}", "w") as file:
        content = {
            "passed": True,
            "examples": examples,
            "labels": labels,
            "notices": [
                *(few_normal(labels, classes, normal) if _are_signals(curated) else ()),
                *missing_labels(labels),
            ],
            "drift": {drift.feature: drift.distance for drift in drifts},
        }
        file.write(json.dumps(content, indent=2))


def _are_signals(schema: schema_pb2.Schema) -> bool:
    return any(feature.name == SignalData.feature for feature in schema.feature)


def _read_statistics(artifact: Artifact, split: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    return stats_artifact_utils.load_statistics(artifact, split).proto()


def _read_anomalies(artifact: Artifact, split: str) -> anomalies_pb2.Anomalies:
    path = f"{artifact_utils.get_split_uri([artifact], split)}/{DEFAULT_FILE_NAME}"
    anomalies = anomalies_pb2.Anomalies()
    with fileio.open(path, "rb") as file:
        anomalies.ParseFromString(file.read())
    return anomalies
