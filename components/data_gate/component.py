"""DataGate: acts on what ExampleValidator only notes."""

import json

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact, Property, PropertyType
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics

from components.data_gate.verdict import blocking_anomalies, missing_classes, missing_examples
from pipeline_config import GateRefusalError

VERDICT_FILE = "verdict.json"


class DataVerdict(Artifact):
    """What the data gate found, in `verdict.json`; it exists only where the data passed."""

    TYPE_NAME = "DataVerdict"
    PROPERTIES = {"span": Property(type=PropertyType.INT)}


@component
def DataGate(  # noqa: N802 - TFX names a component as a class.
    statistics: InputArtifact[ExampleStatistics],
    anomalies: InputArtifact[ExampleAnomalies],
    verdict: OutputArtifact[DataVerdict],
    both_classes: Parameter[int],
    fingerprint: Parameter[str],
) -> None:
    """Stops the run where the data is not what the schema promises.

    Args:
        statistics: Statistics of all splits.
        anomalies: ExampleValidator's findings on the same splits.
        verdict: Counts by split, written where nothing blocks.
        both_classes: 1 where each split must hold normal and abnormal examples.
        fingerprint: Digest of this component's source, so that an edit runs it again.

    Raises:
        GateRefusalError: An anomaly of severity ERROR, an empty split or a missing class; the
            message names each feature and its fault.
    """
    del fingerprint
    reasons: list[str] = []
    examples: dict[str, int] = {}
    for split in artifact_utils.decode_split_names(statistics.split_names):
        dataset = stats_artifact_utils.load_statistics(statistics, split).proto().datasets[0]
        examples[split] = dataset.num_examples
        reasons += missing_examples(split, dataset)
        if dataset.num_examples:
            reasons += blocking_anomalies(split, _read_anomalies(anomalies, split))
        if both_classes:
            reasons += missing_classes(split, dataset)
    if reasons:
        raise GateRefusalError("; ".join(reasons))
    fileio.makedirs(verdict.uri)
    with fileio.open(f"{verdict.uri}/{VERDICT_FILE}", "w") as file:
        file.write(json.dumps({"passed": True, "examples": examples}, indent=2))


def _read_anomalies(artifact: Artifact, split: str) -> anomalies_pb2.Anomalies:
    path = f"{artifact_utils.get_split_uri([artifact], split)}/{DEFAULT_FILE_NAME}"
    anomalies = anomalies_pb2.Anomalies()
    with fileio.open(path, "rb") as file:
        anomalies.ParseFromString(file.read())
    return anomalies
