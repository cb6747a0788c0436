"""A home with three pushed versions, as MLMD and the push directory record them."""

import json
from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto.metadata_store_pb2 import Artifact, ArtifactType
from tfx.orchestration.metadata import sqlite_metadata_connection_config

from pipeline.home import Home

MODEL = "ecg_anomaly_detector"
VERSIONS = (11, 12, 13)


def push_by_hand(folder: Path, version: int, pipeline: str | None = "anomaly") -> None:
    directory = folder / str(version)
    (directory / "variables").mkdir(parents=True)
    (directory / "saved_model.pb").write_bytes(bytes(900))
    (directory / "variables" / "variables.index").write_bytes(bytes(40))
    (directory / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(60))
    if pipeline is not None:
        manifest = {
            "pipeline": pipeline,
            "run_id": f"{pipeline}-20260101T0000{version}-abcd",
            "pushed_at": f"2026-01-01T00:00:{version}+00:00",
            "metrics": {"accuracy": 0.5, "f1": version / 100},
            "threshold": version / 1000,
        }
        (directory / "aepipe.json").write_text(json.dumps(manifest))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    folder = home.push_root / MODEL
    home.metadata_path("anomaly").parent.mkdir(parents=True)
    # As a run leaves it: TFX makes the file, later readers open it.
    connection = sqlite_metadata_connection_config(str(home.metadata_path("anomaly")))
    store = MetadataStore(connection)
    pushed_model = store.put_artifact_type(ArtifactType(name="PushedModel"))
    refused = Artifact(type_id=pushed_model, uri="not pushed")
    refused.custom_properties["pushed"].int_value = 0
    store.put_artifacts([refused])
    for version in VERSIONS:
        push_by_hand(folder, version)
        artifact = Artifact(type_id=pushed_model, uri=f"archive/{version}")
        artifact.custom_properties["pushed"].int_value = 1
        artifact.custom_properties["pushed_destination"].string_value = str(folder / str(version))
        artifact.custom_properties["pushed_version"].string_value = str(version)
        store.put_artifacts([artifact])
    return home


@pytest.fixture
def folder(home: Home) -> Path:
    return home.push_root / MODEL
