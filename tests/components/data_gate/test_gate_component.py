"""The gate on artifacts, as the stages before it would leave them."""

import json
from pathlib import Path
from typing import Any

import pytest
import tensorflow_data_validation as tfdv
from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import artifact_utils
from tfx.types.experimental.simple_artifacts import File
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, Schema
from tfx.utils import io_utils

from components.conformal import too_few_held_out
from components.data_gate.component import VERDICT_FILE, DataGate
from components.schema.curated import curated_schema
from pipeline.build import build_pipeline
from pipeline.home import Home
from pipeline.settings import apply_settings
from pipeline_config import ANOMALY, DETECTOR, GateRefusalError, PipelineConfig
from tests.components.artifacts import ArtifactFolder
from tests.components.data_gate.statistics import statistics

Rows = list[tuple[list[float], int]]

SCHEMA = curated_schema("signal.pbtxt", feature="signal", shape=(4,))
BOTH = [([0.1, -0.2, 1.0, 2.0], 1), ([0.0, 0.5, -1.0, 2.5], 0)] * 10


def pass_gate(folder: Path, splits: dict[str, Rows], **settings: Any) -> dict[str, Any]:
    """Returns the verdict on the rows of each split."""
    artifacts = ArtifactFolder(folder)
    found, anomalies = artifacts.artifact(ExampleStatistics), artifacts.artifact(ExampleAnomalies)
    schema, verdict = artifacts.artifact(Schema), artifacts.artifact(File)
    io_utils.write_pbtxt_file(f"{schema.uri}/schema.pbtxt", SCHEMA)
    for artifact in (found, anomalies):
        artifact.split_names = artifact_utils.encode_split_names(list(splits))
    for split, rows in splits.items():
        of_split = statistics(rows, SCHEMA)
        faults = tfdv.validate_statistics(of_split, SCHEMA)
        for artifact, name, proto in (
            (found, "FeatureStats.pb", of_split),
            (anomalies, "SchemaDiff.pb", faults),
        ):
            path = Path(artifact.uri, f"Split-{split}", name)
            path.parent.mkdir()
            path.write_bytes(proto.SerializeToString())
    given = {
        "both_classes": 1,
        "presumes_normal": 1,
        "normal_classes": '["1"]',
        "promised_rate": 0.0,
        "drift_threshold": 1.0,
        "label_drift_threshold": 1.0,
        "schema_file": "signal.pbtxt",
        "fingerprint": "",
    }
    inputs = {"statistics": [found], "anomalies": [anomalies], "schema": [schema]}
    DataGate.EXECUTOR_SPEC.executor_class().Do(inputs, {"verdict": [verdict]}, given | settings)
    content: dict[str, Any] = json.loads(Path(verdict.uri, VERDICT_FILE).read_text())
    return content


def with_held_out(normal: int, unlabelled: int = 0) -> dict[str, Rows]:
    rows = [([0.1, 0.2, 1.0, 2.0 + 0.01 * n], 1) for n in range(normal)]
    rows += [([0.1, 0.2, 1.0, 1.0 + 0.01 * n], -1) for n in range(unlabelled)]
    return {"train": BOTH, "calibration": [*rows, ([0.0, 0.5, -1.0, 2.5], 0)], "eval": BOTH}


@pytest.mark.parametrize(
    ("held_out", "settings", "counted"),
    [
        (with_held_out(8), {"promised_rate": 0.1}, 8),
        (with_held_out(9), {"promised_rate": 0.1}, None),
        (with_held_out(8), {}, None),
        (with_held_out(5, unlabelled=4), {"promised_rate": 0.1}, None),
        (with_held_out(5, unlabelled=4), {"promised_rate": 0.1, "presumes_normal": 0}, 5),
    ],
    ids=["too few", "enough", "no promise", "presumed normal", "not presumed normal"],
)
def test_a_promise_that_what_is_held_out_cannot_keep_stops_the_run(
    tmp_path: Path, held_out: dict[str, Rows], settings: dict[str, Any], counted: int | None
) -> None:
    if counted is None:
        assert pass_gate(tmp_path, held_out, **settings)["passed"]
        return
    with pytest.raises(GateRefusalError) as refusal:
        pass_gate(tmp_path, held_out, **settings)
    assert str(refusal.value) == too_few_held_out(0.1, counted)
    assert f"takes 9 held-out normal examples or more, and there are {counted}" in str(
        refusal.value
    )


def test_nothing_held_out_to_keep_a_promise_by_is_said_once(tmp_path: Path) -> None:
    with pytest.raises(GateRefusalError) as refusal:
        pass_gate(tmp_path, with_held_out(0), promised_rate=0.1)
    assert "no normal (1) example among its 1 to hold out" in str(refusal.value)
    assert "; " not in str(refusal.value)


def gate_of(config: PipelineConfig, home: Path) -> BaseNode:
    pipeline = build_pipeline(
        config,
        data_directory=str(home),
        data_sha256="",
        home=Home(home),
        beam_args=(),
        cache=True,
    )
    return next(node for node in pipeline.components if node.id == "DataGate")


@pytest.mark.parametrize(
    ("config", "settings", "expected"),
    [
        (DETECTOR, (), DETECTOR.evaluator.false_alarm_rate),
        (DETECTOR, ("evaluator.threshold=percentile",), 0.0),
        (ANOMALY, (), 0.0),
        (
            ANOMALY,
            (
                "evaluator.threshold=conformal",
                "evaluator.false_alarm_rate=0.2",
                "data.held_out=0.2",
            ),
            0.2,
        ),
    ],
    ids=["detector", "detector by percentile", "anomaly", "anomaly by conformal"],
)
def test_the_gate_is_given_what_the_threshold_promises(
    tmp_path: Path, config: PipelineConfig, settings: tuple[str, ...], expected: float
) -> None:
    gate = gate_of(apply_settings(config, settings), tmp_path)
    assert gate.exec_properties["promised_rate"] == expected
