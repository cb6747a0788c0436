"""`aepipe config`: every setting in force, its origin, and the same as a file to feed back."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipeline.config_file import read_config_file
from pipeline.effective_settings import toml_value
from pipeline.settings import available_settings, setting_values
from pipeline_config import PIPELINES
from tests.conftest import Aepipe

OWN = """
[heart]
base = "sensor"
trainer.epochs = 2
description = 'a "quoted" text, C:\\hearts, ü and ☃'
schedule.tags = []

[sensor]
base = "anomaly"
data.length = 187
[sensor.evaluator.lower_bounds]
accuracy = "none"
roc_auc = 0.5

["site.v2"]
base = "basic"
trainer.learning_rate = 1e-7
data.train_pattern = 'a"b\\c-*'

[denoise]
transform.noise = 0.25
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    return path


def found(aepipe: Aepipe, *arguments: Any) -> dict[str, dict[str, Any]]:
    """Returns `setting -> {value, origin}` of the one pipeline."""
    result = aepipe("config", *arguments, "--json")
    assert result.exit_code == 0, result.err
    (pipeline,) = json.loads(result.out)["pipelines"]
    return {row.pop("setting"): row for row in pipeline["settings"]}


@pytest.mark.parametrize(
    ("pipeline", "setting", "value", "origin"),
    [
        ("heart", "trainer.epochs", 9, "--set"),
        ("heart", "schedule.tags", [], "{own}:6"),
        ("heart", "data.length", 187, "sensor"),
        ("heart", "evaluator.lower_bounds.roc_auc", 0.5, "sensor"),
        ("heart", "evaluator.tutorial_lower_bounds.accuracy", "none", "sensor"),
        ("heart", "evaluator.tutorial_lower_bounds.recall", 0.75, "anomaly"),
        ("heart", "trainer.normal_only", True, "anomaly"),
        ("heart", "model", "AnomalyDetector", "anomaly"),
        ("heart", "pusher.model_name", "heart", "default"),
        ("sensor", "data.length", 187, "{own}:10"),
        ("denoise", "transform.noise", 0.25, "{own}:21"),
        ("denoise", "transform.noise_seed", 0, "default"),
        ("anomaly", "data.length", 140, "default"),
    ],
)
def test_each_setting_has_its_value_and_origin(
    pipeline: str, setting: str, value: object, origin: str, own: Path, aepipe: Aepipe
) -> None:
    settings = found(aepipe, pipeline, "--config", own, "--set", "trainer.epochs=9")
    assert settings[setting] == {"value": value, "origin": origin.format(own=own)}


def test_without_a_file_all_is_default_but_what_is_set(aepipe: Aepipe) -> None:
    settings = found(aepipe, "anomaly", "--set", "data.length=99")
    assert settings["data.length"] == {"value": 99, "origin": "--set"}
    others = {row["origin"] for name, row in settings.items() if name != "data.length"}
    assert others == {"default"}
    values = setting_values(PIPELINES["anomaly"])
    assert {name for name, value in values.items() if value is not None} <= settings.keys()
    settable = {name for name in settings if not name.startswith("search.")}
    assert settable - {"description", "feature", "model", "loss", "schema"} <= set(
        available_settings(PIPELINES["anomaly"])
    )


@pytest.mark.parametrize("pipeline", [*PIPELINES.built_in, "heart", "sensor", "site.v2", "all"])
def test_the_printed_file_can_be_fed_back(
    pipeline: str, own: Path, tmp_path: Path, aepipe: Aepipe
) -> None:
    printed = aepipe("config", pipeline, "--config", own, "--toml", "--set", "trainer.seed=7")
    again = tmp_path / "again.toml"
    again.write_text(printed.out)
    before = {name: one.config for name, one in read_config_file(own).pipelines.items()}
    before = {**PIPELINES.built_in, **before}
    read = read_config_file(again).pipelines
    assert list(read) == (list(before) if pipeline == "all" else [pipeline])
    for name, one in read.items():
        assert one.config.trainer.seed == 7
        wanted = setting_values(before[name]) | {"trainer.seed": 7}
        assert setting_values(one.config) == wanted
        assert (one.config.description, one.config.loss) == (
            before[name].description,
            before[name].loss,
        )
    # Printed from itself, it is the same but for the origins.
    second = aepipe("config", pipeline, "--config", again, "--toml")
    assert tomllib.loads(second.out) == tomllib.loads(printed.out)


@pytest.mark.parametrize(
    "value",
    ["", 'a"b', "a\\b", "tab\t", "\x7f\x01", "☃𝄞", "a\nb", 0, -3, 1e-7, 2.5e22, True, ["a"]],
)
def test_a_value_is_written_as_toml(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}") == {"x": value}


def test_the_table_has_a_line_a_setting_under_each_pipeline(own: Path, aepipe: Aepipe) -> None:
    result = aepipe("config", "--config", own)
    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith(("heart ", "basic "))] == [
        "basic",
        "heart",
    ]
    assert f"trainer.epochs 2 {own}:4" in [" ".join(line.split()) for line in lines]


def test_two_formats_at_a_time_are_refused(aepipe: Aepipe) -> None:
    result = aepipe("config", "--json", "--toml")
    assert result.exit_code == 2
    assert "--json and --toml exclude each other" in result.err
