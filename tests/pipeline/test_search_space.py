"""What `aepipe tune` may try: declared by a pipeline, or in a TOML file."""

import dataclasses
import re
from pathlib import Path

import pytest

from pipeline.config_file import read_config_file
from pipeline.settings import setting_values
from pipeline_config import ANOMALY, PIPELINES, Choice, PipelineConfig, Range, SettingError
from tests.conftest import Aepipe


@pytest.mark.parametrize("config", PIPELINES.values(), ids=PIPELINES.keys())
def test_a_built_in_pipeline_searches_around_its_own_values(config: PipelineConfig) -> None:
    own = setting_values(config)
    assert config.search
    for name, space in config.search.items():
        if isinstance(space, Range):
            assert space.low <= own[name] <= space.high, name
        else:
            assert own[name] in space.values, name


@pytest.mark.parametrize(
    ("name", "space", "line"),
    [
        ("trainer.epoch", Choice((1,)), r"search\.trainer\.epoch: expected one of trainer\.epochs"),
        ("data.length", Choice((140,)), r"search\.data\.length: expected one of trainer\."),
        ("trainer.seed", Choice((1, 2)), r"search\.trainer\.seed: expected one of"),
        ("trainer.epochs", Choice(()), r"search\.trainer\.epochs=\[\]: expected one value"),
        ("trainer.epochs", Choice((0, 5)), r"search\.trainer\.epochs=0: expected 1 or more"),
        ("trainer.epochs", Choice((2.5,)), r"search\.trainer\.epochs=.*: expected whole numbers"),
        ("trainer.epochs", Range(low=1, high=10**9), r"search\.trainer\.epochs=1000000000: expec"),
        ("trainer.epochs", Range(low=9, high=3), r"search\.trainer\.epochs=.*: expected low below"),
        (
            "trainer.normal_only",
            Range(low=0, high=1),
            r"search\.trainer\.normal_only=.*: expected a list",
        ),
        (
            "trainer.learning_rate",
            Range(low=0.0, high=1.0, log=True),
            r"search\.trainer\.learning_rate=.*: expected low below high, and above 0 if log",
        ),
        ("trainer.learning_rate", Range(low=-1.0, high=1.0), r"search\.trainer\.learning_rate=-1"),
    ],
)
def test_a_wrong_space_is_refused_when_it_is_made(
    name: str, space: Range | Choice, line: str
) -> None:
    with pytest.raises(SettingError, match=f"^{line}") as caught:
        dataclasses.replace(ANOMALY, search={name: space})
    assert caught.value.setting == f"search.{name}"
    assert "\n" not in str(caught.value)


def test_a_file_adds_to_the_space_of_its_base(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        '[heart]\nbase = "anomaly"\n'
        "search.trainer.batch_size = [8, 16]\n"
        "search.trainer.learning_rate = {low = 1, high = 10}\n"
        '[beat]\nbase = "heart"\nsearch."trainer.epochs" = {low = 5, high = 50, log = true}\n'
    )

    pipelines = read_config_file(path).pipelines

    heart, beat = pipelines["heart"].config.search, pipelines["beat"].config.search
    assert heart["trainer.batch_size"] == Choice((8, 16))
    assert heart["trainer.learning_rate"] == Range(low=1.0, high=10.0)
    assert heart["trainer.epochs"] == ANOMALY.search["trainer.epochs"]
    assert beat == {**heart, "trainer.epochs": Range(low=5, high=50, log=True)}


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("search = 3", r"search: expected settings"),
        ("search.trainer.batch = [3]", r"search\.trainer\.batch: .*did you mean trainer\.batch_s"),
        ("search.trainer.batch_size = 3", r"search\.trainer\.batch_size: expected a list"),
        ("search.trainer.batch_size = {low = 3}", r"search\.trainer\.batch_size: expected a list"),
        ('search.trainer.batch_size = ["3"]', r"trainer\.batch_size=.*: expected a whole number"),
        ("search.trainer.batch_size = [0]", r"search\.trainer\.batch_size=0: expected 1 or more"),
        ("search.data.length = [99]", r"search\.data\.length: expected one of trainer\.epochs"),
    ],
)
def test_a_mistake_in_a_file_names_its_line(
    entry: str, line: str, tmp_path: Path, aepipe: Aepipe
) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f'[heart]\nbase = "anomaly"\n{entry}\n')

    result = aepipe("config", "heart", "--config", path)

    assert result.exit_code == 2
    assert re.fullmatch(rf"aepipe: {re.escape(str(path))}:3: \[heart\] {line}.*\n", result.err)


def test_the_space_survives_the_way_through_a_file(tmp_path: Path, aepipe: Aepipe) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[heart]\nbase = "basic"\nsearch.trainer.learning_rate = [1e-7, 0.5]\n')
    shown = aepipe("config", "heart", "--toml", "--config", own)
    assert shown.exit_code == 0, shown.err
    again = tmp_path / "again.toml"
    again.write_text(shown.out)

    fed_back = read_config_file(again).pipelines["heart"].config

    assert fed_back.search == read_config_file(own).pipelines["heart"].config.search
    assert fed_back.search["trainer.learning_rate"] == Choice((1e-7, 0.5))


def test_the_file_that_the_documentation_shows_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "tuning.md").read_text()
    (shown,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "shown.toml"
    path.write_text(shown)

    (own,) = read_config_file(path).pipelines.values()

    assert own.config.search["trainer.batch_size"] == Choice((32, 64, 128))
    assert own.config.search["trainer.learning_rate"] == Range(low=1e-4, high=0.1, log=True)
