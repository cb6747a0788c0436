"""The component in a pipeline, with TFX's driver choosing the files."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.base.base_component import BaseComponent

from components.example_gen.component import example_gen
from pipeline_config import SignalData
from tests.components.example_gen.ingestion import Splits, read_splits, run_pipeline

Run = Callable[[BaseComponent], metadata_store_pb2.Artifact]
PATTERN = "span-{SPAN}/version-{VERSION}/*.csv"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a pipeline of one component and returns its newest output artifact."""
    return partial(run_pipeline, tmp_path)


@pytest.fixture
def spans(tmp_path: Path, rows: list[str]) -> Path:
    """Three spans of ten rows; the newest has two versions. Text order is not number order."""
    folder = tmp_path / "data"
    for part, place in enumerate(("9/version-1", "10/version-2", "10/version-11", "2/version-3")):
        target = folder / f"span-{place}"
        target.mkdir(parents=True)
        (target / "ecg.csv").write_text("\n".join(rows[part * 10 : part * 10 + 10]))
    return folder


def _signals(splits: Splits) -> set[tuple[float, ...]]:
    return {tuple(round(v, 3) for v in beat.value) for beats in splits.values() for beat in beats}


def _of_rows(rows: list[str]) -> set[tuple[float, ...]]:
    return {tuple(round(float(cell), 3) for cell in row.split(",")[:3]) for row in rows}


def test_newest_span_and_version_are_ingested(spans: Path, rows: list[str], run: Run) -> None:
    data = SignalData(pattern=PATTERN, length=3)

    artifact = run(example_gen(str(spans), data, fingerprint="a"))

    assert _signals(read_splits(artifact.uri)) == _of_rows(rows[20:30])
    assert artifact.custom_properties["span"].int_value == 10
    assert artifact.custom_properties["version"].int_value == 11
    assert artifact.custom_properties["payload_format"].string_value == "FORMAT_TF_EXAMPLE"
    assert json.loads(artifact.properties["split_names"].string_value) == ["train", "eval"]


def test_cache_sees_the_code_and_the_settings(spans: Path, run: Run) -> None:
    data = SignalData(pattern=PATTERN, length=3)

    first = run(example_gen(str(spans), data, fingerprint="a"))
    again = run(example_gen(str(spans), data, fingerprint="a"))
    edited = run(example_gen(str(spans), data, fingerprint="b"))
    tutorial = SignalData(pattern=PATTERN, length=3, split="tutorial")
    other_split = run(example_gen(str(spans), tutorial, fingerprint="b"))

    assert again.id == first.id
    assert first.id < edited.id < other_split.id
