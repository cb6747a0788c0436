"""What a person reads is what was meant: no path is taken for markup, no name is cut."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from data.facts import DataFacts
from pipeline.run.outcome import RunOutcome
from pipeline.terminal import (
    plain_console,
    print_header,
    print_notice,
    print_outcome,
    print_stage,
    print_stage_started,
    print_table,
)
from pipeline_config import ANOMALY
from tests.conftest import Aepipe

PATHS = [
    "/srv/[archive]/ecg",
    "/srv/[/x]/ecg",
    "/srv/[bold red]/ecg [1].csv",
    "/srv/:smiley:/\\[x]",
    "/srv/" + "a-long-name/" * 30,
]


def _console(width: int, terminal: bool) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    console = plain_console(text)
    console.width = width
    console._force_terminal = terminal
    return console, text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("width", [40, 80])
def test_a_path_of_a_user_is_printed_as_it_is(path: str, width: int) -> None:
    console, text = _console(width, terminal=False)
    print_notice(console, f"{path}: a notice")
    facts = DataFacts("given", path, "")
    outcome = RunOutcome(
        "anomaly", "run-1", "failed", facts, reasons=[f"{path}: wrong"], notices=[path], log=path
    )
    print_outcome(console, outcome)
    assert text.getvalue().count(path) == 4


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_any_name_is_printed_as_it_is(name: str) -> None:
    console, text = _console(80, terminal=False)
    print_notice(console, name)
    print_table([{"run": name}], console)
    assert text.getvalue().splitlines() == [f" {name} ", "run", name]


ROWS = [
    {"model": "ecg_anomaly_detector", "version": number, "labels": "canary, stable", "run_id": run}
    for number, run in ((1764000000, "anomaly-20261125T120000Z-aaaaaa"), (1764000001, None))
]


def test_a_pipe_gets_a_plain_line_a_row() -> None:
    console, text = _console(40, terminal=False)
    print_table(ROWS, console)
    names, first, second = text.getvalue().splitlines()
    assert names.split() == ["model", "version", "labels", "run", "id"]
    assert first.endswith("canary, stable  anomaly-20261125T120000Z-aaaaaa")
    assert second == "ecg_anomaly_detector  1764000001  canary, stable"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_name_is_cut_on_a_terminal(width: int) -> None:
    console, text = _console(width, terminal=True)
    print_table(ROWS, console)
    for row in ROWS:
        for value in row.values():
            assert value is None or str(value) in text.getvalue()


def test_a_stages_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    console, text = _console(20, terminal=False)
    print_header(console, ANOMALY)
    print_stage_started(console, "ExampleGen")
    print_stage(console, "ExampleGen", 1.5, cached=True)
    header, stage = text.getvalue().splitlines()
    assert header == f"anomaly  {ANOMALY.description}"
    assert stage.split() == ["✓", "ExampleGen", "1.5", "s", "cached"]


@pytest.mark.parametrize("name", ["[archive]", "[/x]", "[bold]"])
def test_a_run_names_the_users_folder(
    aepipe: Aepipe, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.mktemp("data") / name / "ecg"
    folder.mkdir(parents=True)
    home = tmp_path_factory.mktemp("home")
    result = aepipe("run", "anomaly", "--home", home, "--data-dir", folder)
    assert result.exit_code == 2
    assert str(folder) in result.out + result.err


def test_an_outcome_says_whose_bounds_are_whose_and_how_each_class_did() -> None:
    console, text = _console(80, terminal=False)
    classes = {
        "1": {"label": "normal", "examples": 1500, "alarms": 15, "recall": 0.99},
        "2": {"label": "abnormal", "examples": 4, "alarms": 3, "recall": 0.75},
        "V": {"label": "abnormal", "examples": 1, "alarms": 0, "recall": 0.0},
    }
    bounds = [
        {"metric": "recall", "side": "lower", "value": 0.75, "origin": "tutorial"},
        {"metric": "val_loss", "side": "upper", "value": 0.5, "origin": "setting"},
    ]
    outcome = RunOutcome("anomaly", "run-1", "pushed", classes=classes, bounds=bounds)
    print_outcome(console, outcome)
    lines = [" ".join(line.split()) for line in text.getvalue().splitlines()]
    assert "class 1 normal, 15 of 1,500 called an anomaly: recall 0.99" in lines
    assert "class V abnormal, 0 of 1 called an anomaly: recall 0" in lines
    assert (
        "bounds recall at least 0.75 (the tutorial's), val_loss at most 0.5 (your setting)" in lines
    )
    del classes["V"]
    print_outcome(console, outcome)
    assert text.getvalue().count("class 1") == 1
