"""`aepipe tune` from raw data to the best values, on small made-up data."""

import contextlib
import dataclasses
import io
import json
import re
import signal
import sqlite3
import tomllib
from pathlib import Path

import click
import pytest
import tensorflow as tf

from pipeline.commands.tune import tune
from pipeline.home import Home
from pipeline.run.outcome import RunOutcome
from pipeline.runners.local import RunRequest
from pipeline.settings import apply_settings
from pipeline.supervisor import Interruption
from pipeline.terminal import plain_console
from pipeline.tuning.result import TUNING_FILE, TuningResult, print_result
from pipeline.tuning.search import Limits, tune_pipeline
from pipeline_config import PIPELINES
from tests.conftest import Aepipe
from tests.pipeline.conftest import LENGTH, write_waves
from trainer.input import SplitReader

SETTINGS = (f"data.length={LENGTH}", "trainer.epochs=2")
SEARCHED = ("trainer.learning_rate", "trainer.batch_size")


@dataclasses.dataclass(frozen=True)
class Searched:
    """One call, in a home that a later call goes on in."""

    home: Home
    data: Path
    outcome: RunOutcome
    result: TuningResult
    opened: list[str]
    """Files of examples that trials opened."""


def search(home: Home, data: Path, trials: int) -> Searched:
    request = RunRequest(("anomaly",), home.root, data, SETTINGS)
    opened: list[str] = []

    original = SplitReader._records

    def recorded(reader: SplitReader) -> tf.data.Dataset:
        opened.extend(file for pattern in reader.patterns for file in tf.io.gfile.glob(pattern))
        return original(reader)

    with pytest.MonkeyPatch.context() as spied:
        spied.setattr(SplitReader, "_records", recorded)
        outcome, result = tune_pipeline(request, Limits(trials), None, io.StringIO())
    assert result is not None, outcome.reasons
    return Searched(home, data, outcome, result, opened)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    data = write_waves(tmp_path_factory.mktemp("waves") / "ecg")
    return search(Home(tmp_path_factory.mktemp("tuning home")), data, trials=3)


@pytest.fixture(scope="module")
def second(first: Searched) -> Searched:
    return search(first.home, first.data, trials=1)


def test_the_stages_up_to_transform_are_run_and_nothing_is_pushed(first: Searched) -> None:
    assert (first.outcome.status, first.outcome.exit_code) == ("tuned", 0)
    stages = [name for name in first.outcome.seconds if name != "total"]
    assert stages[0] == "ExampleGen"
    assert stages[-1] == "Transform"
    assert "Trainer" not in stages
    assert not list(first.home.push_root.glob("*/[0-9]*"))


def test_no_trial_opens_the_eval_split(first: Searched) -> None:
    assert first.opened
    assert {Path(file).parent.name for file in first.opened} == {"Split-train"}


def test_the_best_is_no_worse_than_the_pipelines_own(first: Searched) -> None:
    result = first.result
    own = {"trainer.learning_rate": 1e-3, "trainer.batch_size": 512}
    assert result.default == 0
    assert result.trials[0].settings == own
    best, default = result.error_of(result.best), result.error_of(result.default)
    assert best is not None
    assert default is not None
    assert best <= default
    assert len(result.trials) == 3
    assert "normal examples of the training split" in result.objective


def test_a_second_search_goes_on_with_cached_stages(first: Searched, second: Searched) -> None:
    stages = {name for name in second.outcome.seconds if name != "total"}
    assert set(second.outcome.cached) == stages
    assert second.result.trials[:3] == first.result.trials
    assert len(second.result.trials) == 4
    assert second.result.default == 0


def test_the_best_values_are_settings_and_a_file(
    first: Searched, aepipe: Aepipe, tmp_path: Path
) -> None:
    best = next(one for one in first.result.trials if one.trial == first.result.best)
    tuned = apply_settings(PIPELINES["anomaly"], first.result.assignments)
    assert tuned.trainer.learning_rate == best.settings["trainer.learning_rate"]
    assert tuned.trainer.batch_size == best.settings["trainer.batch_size"]
    path = tmp_path / "best.toml"
    path.write_text(first.result.toml)

    shown = aepipe("config", "anomaly", "--config", path, "--json")

    assert shown.exit_code == 0, shown.err
    (pipeline,) = json.loads(shown.out)["pipelines"]
    in_force = {row["setting"]: row["value"] for row in pipeline["settings"]}
    for name, value in best.settings.items():
        assert in_force[name] == value
    # What was fixed belongs to the result.
    assert in_force["data.length"] == LENGTH
    assert tomllib.loads(first.result.toml).keys() == {"anomaly"}


def test_what_is_printed_has_every_trial_and_the_best(first: Searched) -> None:
    output = io.StringIO()
    print_result(plain_console(output), first.result)
    printed = output.getvalue()
    for one in first.result.trials:
        assert re.search(rf"^{one.trial} +{one.state} ", printed, re.MULTILINE)
    for assignment in first.result.assignments:
        assert f"--set {assignment}" in printed
    assert first.result.toml in printed


def test_the_report_shows_the_search(second: Searched) -> None:
    assert second.outcome.report is not None
    page = Path(second.outcome.report).read_text()
    assert page.count("<tr>") >= 5
    assert 'aria-label="Chart: errors of 4 trials' in page
    assert "trainer.learning_rate = " in page
    assert second.result.objective in page


def test_it_is_a_run_like_others(second: Searched, aepipe: Aepipe) -> None:
    home = ("--home", str(second.home.root))
    listed = aepipe("runs", "--json", *home).runs
    assert [run["status"] for run in listed] == ["tuned", "tuned"]
    (second.home.runs / second.outcome.run_id / "report.html").unlink()
    again = aepipe("report", second.outcome.run_id, *home)
    assert again.exit_code == 0, again.err
    assert (
        "<h2>Search</h2>" in (second.home.runs / second.outcome.run_id / "report.html").read_text()
    )
    kept = json.loads((second.home.runs / second.outcome.run_id / TUNING_FILE).read_text())
    assert kept == second.result.as_dict()


def test_another_process_in_the_same_home_waits_its_turn(second: Searched, aepipe: Aepipe) -> None:
    with second.home.lock("anomaly"):
        refused = aepipe("tune", "anomaly", "--home", second.home.root, "--trials", "1")
    assert refused.exit_code == 2
    assert refused.err.count("\n") == 1
    assert "pipeline anomaly is already running" in refused.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("anomaly", "--trials", "0"), "--trials 0: expected 1 or more trials"),
        (("anomaly", "--minutes", "0"), "--minutes 0: expected more than 0 minutes"),
        (("anomaly", "--minutes", "nan"), "--minutes nan: expected more than 0 minutes"),
        (
            ("anomaly", "--set", "trainer.epoch=3"),
            "--set trainer.epoch: .*did you mean trainer.epochs.",
        ),
        (
            ("basic", "--set", "trainer.learning_rate=1", "--set", "trainer.batch_size=8"),
            "--set fixes all that pipeline basic searches: .*",
        ),
        (("anomaly", "--data-dir", "{tmp}/none"), ".*/none.*"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: tuple[str, ...], line: str, tmp_path: Path, aepipe: Aepipe
) -> None:
    given = [argument.format(tmp=tmp_path) for argument in arguments]

    result = aepipe("tune", *given, "--home", tmp_path / "home")

    assert result.exit_code == 2
    assert re.fullmatch(f"aepipe: {line}\n", result.err)


def test_an_interrupted_search_shows_what_it_has(second: Searched) -> None:
    """The guard's part: it has nothing but the run's folder."""
    run = second.outcome.run_id
    record = second.home.runs / run / "run.json"
    before = record.read_text()
    record.write_text(json.dumps({**json.loads(before), "status": "interrupted"}))
    try:
        printed = _interrupt(second.home, run)
    finally:
        record.write_text(before)
    assert f"--set {second.result.assignments[0]}" in printed
    assert "interrupted by SIGINT in trial 3" in printed


def _interrupt(home: Home, run: str) -> str:
    messages = [{"run": run}, {"stage": "trial 3"}]
    context = click.Context(tune)
    context.params = {"as_json": False, "home": home.root}
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        tune.on_interruption(context, Interruption(signal.SIGINT, messages))  # type: ignore[attr-defined]
    return output.getvalue()


def test_the_study_is_one_file_of_the_home(second: Searched) -> None:
    path = Path(second.result.study)
    assert path == second.home.tuning / "anomaly" / "study.db"
    with sqlite3.connect(path) as study:
        assert study.execute("SELECT COUNT(*) FROM trials").fetchone() == (4,)
