"""A schema of a user's own, in place of the curated one."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.schema import SCHEMA_DIRECTORY, where_to_change
from components.schema.curated import schema_of, write_schema
from data.choice import RunData
from data.facts import DataFacts
from pipeline.config_file import read_config_file
from pipeline.run.begin import inputs_sha256
from pipeline.runners.kubeflow.compile import compile_documents
from pipeline.runners.kubeflow.target import KubeflowTarget
from pipeline_config import ANOMALY, PipelineConfig, UserInputError, reading_settings

CURATED = (SCHEMA_DIRECTORY / "signal.pbtxt").read_text()
OWN = CURATED.replace("-100.0", "-5.0")

Own = Callable[[str], PipelineConfig]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    def configured(text: str) -> PipelineConfig:
        path = tmp_path / "heart.pbtxt"
        path.write_text(text)
        data = dataclasses.replace(ANOMALY.data, schema=str(path), length=9)
        return dataclasses.replace(ANOMALY, data=data)

    return configured


def minimum(schema: schema_pb2.Schema) -> float:
    return float(schema.feature[0].float_domain.min)


def test_it_is_taken_with_the_sizes_of_the_config(own: Own, tmp_path: Path) -> None:
    config = own(OWN)
    schema = schema_of(config)
    assert minimum(schema) == -5
    assert [dim.size for dim in schema.feature[0].shape.dim] == [9]
    written = write_schema(config, tmp_path / "schemas")
    assert re.fullmatch(r"heart-\w{12}\.pbtxt", written.name)
    assert text_format.Parse(written.read_text(), schema_pb2.Schema()) == schema


def test_without_one_the_curated_one_is_taken() -> None:
    assert minimum(schema_of(ANOMALY)) == -100


@pytest.mark.parametrize(
    "settings",
    [{"length": 187}, {"normal": ("0",)}, {"series": True}, {"channels": 3}, {"label": "none"}],
)
def test_signals_of_another_form_may_have_any_unit(settings: dict[str, Any]) -> None:
    data = dataclasses.replace(ANOMALY.data, **settings)
    domain = schema_of(dataclasses.replace(ANOMALY, data=data)).feature[0].float_domain
    assert not domain.HasField("min")
    assert not domain.HasField("max")
    assert domain.disallow_nan
    assert domain.disallow_inf


def test_another_place_or_split_keeps_the_curated_range() -> None:
    data = dataclasses.replace(ANOMALY.data, folder="plant", pattern="*.txt", split="tutorial")
    assert minimum(schema_of(dataclasses.replace(ANOMALY, data=data))) == -100


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("feature {", "not a schema of TFDV as text: line 1:"),
        ("featur { }", 'not a schema of TFDV as text: line 1:1 : Message type "tensorflow.meta'),
        ("{}", "not a schema of TFDV as text"),
        ("", "no feature 'signal', which examples have as FLOAT; `aepipe data schema anomaly"),
        (OWN.replace('"label"', '"labels"'), "no feature 'label', which examples have as INT"),
        (
            OWN.replace("type: FLOAT", "type: INT"),
            "feature 'signal' is of type INT: expected FLOAT",
        ),
        (OWN + OWN, "feature 'signal' is there twice"),
    ],
    ids=["cut off", "not a schema", "json", "empty", "renamed", "type", "twice"],
)
def test_a_wrong_one_is_one_line_that_names_it(text: str, sentence: str, own: Own) -> None:
    config = own(text)
    with pytest.raises(UserInputError) as caught:
        schema_of(config)
    assert str(caught.value).startswith(f"data.schema={config.data.schema}: ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_one_that_cannot_be_read_is_one_line(
    content: bytes | None, own: Own, tmp_path: Path
) -> None:
    config = own(OWN)
    Path(config.data.schema).unlink()
    if content is not None:
        Path(config.data.schema).write_bytes(content)
    sentence = "not a text in UTF-8" if content else "write it with `aepipe data schema anomaly"
    for use in (schema_of, lambda config: write_schema(config, tmp_path)):
        with pytest.raises(UserInputError, match=sentence):
            use(config)


def test_in_a_toml_file_it_lies_beside_that_file(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[heart]\nbase = "anomaly"\ndata.schema = "schemas/heart.pbtxt"')
    heart = read_config_file(file).pipelines["heart"].config
    assert heart.data.schema == str(tmp_path / "schemas" / "heart.pbtxt")
    file.write_text('[basic]\ndata.schema = ""')
    assert read_config_file(file).pipelines["basic"].config.data.schema == ""


def test_a_runs_inputs_change_with_its_content_and_not_with_its_place(
    own: Own, tmp_path: Path
) -> None:
    def digest(config: PipelineConfig) -> str:
        return inputs_sha256(RunData(config, DataFacts("given", "/data", "0" * 64), None))

    config = own(OWN)
    first = digest(config)
    moved = tmp_path / "moved.pbtxt"
    moved.write_text(OWN)
    at_moved = dataclasses.replace(config.data, schema=str(moved))
    assert digest(dataclasses.replace(config, data=at_moved)) == first
    assert reading_settings(at_moved) == reading_settings(config.data)  # type: ignore[arg-type]
    assert digest(own(CURATED)) != first


def test_the_gates_remedies_name_it(own: Own) -> None:
    config = own(OWN)
    assert where_to_change(config) == config.data.schema
    assert "`aepipe data schema anomaly --data-dir DIR --out anomaly.pbtxt`" in where_to_change(
        ANOMALY
    )
    assert "components/schema" not in where_to_change(ANOMALY)


def test_it_travels_in_the_specification_for_kubeflow(own: Own) -> None:
    (document,) = compile_documents(
        own(OWN), KubeflowTarget(image="i", data_uri="/d", push_uri="/p")
    )
    assert "min: -5.0" in str(document)
