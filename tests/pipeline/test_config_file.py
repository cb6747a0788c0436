"""A TOML file that adds pipelines and changes the built-in ones."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config_file import read_config_file, use_config_file
from pipeline.runners.airflow.settings import scheduled_config, scheduled_configs
from pipeline_config import (
    ANOMALY,
    BASIC,
    PIPELINES,
    ImageData,
    SettingError,
    UserInputError,
)
from tests.conftest import Aepipe

Write = Callable[[str], Path]

HEART = """
[heart]
base = "anomaly"
description = "our own device"
data.length = 187
pusher.model_name = "our_hearts"

[heart.trainer]
epochs = 3
learning_rate = 1
early_stopping_patience = 2
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        path = tmp_path / "own.toml"
        path.write_text(text)
        return path

    return written


def test_a_new_pipeline_is_its_base_with_the_settings_of_the_file(write: Write) -> None:
    heart = read_config_file(write(HEART)).pipelines["heart"].config
    trainer = dataclasses.replace(
        ANOMALY.trainer, epochs=3, learning_rate=1.0, early_stopping_patience=2
    )
    assert heart == dataclasses.replace(
        ANOMALY,
        name="heart",
        description="our own device",
        data=dataclasses.replace(ANOMALY.data, length=187),
        trainer=trainer,
        pusher=dataclasses.replace(ANOMALY.pusher, model_name="our_hearts"),
    )
    assert isinstance(heart.trainer.learning_rate, float)


def test_a_table_of_a_built_in_pipeline_changes_it(write: Write) -> None:
    text = '[basic]\ntrainer.epochs = 1\nschedule.tags = ["a", "b"]\ntransform.noise = 0.5'
    use_config_file({"AEPIPE_CONFIG": str(write(text))}, Path())
    changed = PIPELINES["basic"]
    assert changed.trainer == dataclasses.replace(BASIC.trainer, epochs=1)
    assert changed.schedule.tags == ("a", "b")
    assert changed.pusher == BASIC.pusher
    assert list(PIPELINES) == [*PIPELINES.built_in]
    assert PIPELINES.run_by_all == ("basic", "denoise", "anomaly", "detector")


def test_a_base_may_be_another_pipeline_of_the_file_in_any_order(write: Write) -> None:
    text = """
    [ward]
    base = "heart"
    trainer.epochs = 7
    [heart]
    base = "anomaly"
    data.length = 187
    trainer.epochs = 3
    [anomaly]
    gate.drift_threshold = 0.5
    """
    ward = read_config_file(write(text)).pipelines["ward"].config
    assert (ward.data.length, ward.trainer.epochs) == (187, 7)  # type: ignore[union-attr]
    assert ward.gate.drift_threshold == 0.5


def test_a_new_pipeline_never_pushes_into_the_model_of_its_base(write: Write) -> None:
    text = '[heart]\nbase = "anomaly"\n[ward]\nbase = "heart"'
    pipelines = read_config_file(write(text)).pipelines
    models = {name: own.config.pusher.model_name for name, own in pipelines.items()}
    assert models == {"heart": "heart", "ward": "ward"}


def test_a_detector_of_pictures_is_a_base_and_a_feature(write: Write) -> None:
    text = """
    [boots]
    base = "anomaly"
    feature = "image"
    data.normal = [9]
    [bags]
    base = "boots"
    data.normal = ["8", "bag"]
    """
    pipelines = read_config_file(write(text)).pipelines
    boots, bags = pipelines["boots"].config, pipelines["bags"].config
    assert boots.data == ImageData(normal=("9",))
    assert (boots.schema, boots.is_detector, boots.model) == ("image.pbtxt", True, ANOMALY.model)
    assert boots.evaluator == ANOMALY.evaluator
    assert bags.data == ImageData(normal=("8", "bag"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[boots]\nbase = "anomaly"\nfeature = "image"',
            "data.normal: pipeline boots detects anomalies in pictures: name the classes that "
            "are normal, such as data.normal=9",
        ),
        (
            '[boots]\nbase = "basic"\n\ndata.normal = ["9"]',
            "data.normal: pipeline boots detects no anomalies: a pipeline of a file with base = "
            '"anomaly" and feature = "image" does',
        ),
        (
            '[boots]\nbase = "anomaly"\nfeature = "picture"',
            'feature=\'picture\': expected "signal" or "image"',
        ),
    ],
)
def test_a_detector_of_pictures_says_which_are_normal(
    text: str, sentence: str, write: Write
) -> None:
    path = write(text)
    with pytest.raises(UserInputError) as caught:
        read_config_file(path)
    assert str(caught.value) == f"{path}:{len(text.splitlines())}: [boots] {sentence}"


CONFORMAL = (
    "evaluator.threshold=conformal takes normal examples that are held out of the training: "
    "--set data.held_out=0.2, or --set evaluator.threshold=percentile"
)
NOTHING_HELD_OUT = {
    "anomaly": 'base = "anomaly"\nevaluator.threshold = "conformal"',
    "a table of the section": 'base = "anomaly"\n[heart.evaluator]\nthreshold = "conformal"',
    "detector": 'base = "detector"\ndata.held_out = 0',
    "pictures": 'base = "anomaly"\nfeature = "image"\ndata.normal = ["9"]\n'
    'evaluator.threshold = "conformal"',
}


@pytest.mark.parametrize("lines", NOTHING_HELD_OUT.values(), ids=NOTHING_HELD_OUT)
@pytest.mark.parametrize("command", ["config", "run", "data check"])
def test_a_file_whose_conformal_threshold_has_no_held_out_rows_says_what_to_add(
    lines: str, command: str, write: Write, aepipe: Aepipe
) -> None:
    path = write(f"[heart]\n{lines}")

    # On the command line it comes too late: the file holds another pipeline than is meant.
    result = aepipe(*command.split(), "heart", "--config", path, "--set", "data.held_out=0.2")

    assert result.exit_code == 2
    (line,) = result.err.splitlines()
    assert line.startswith(f"aepipe: {path}:")
    assert line.endswith(": [heart] " + CONFORMAL.replace("--set", "set"))


@pytest.mark.parametrize("command", ["config", "run", "tune"])
@pytest.mark.parametrize(
    ("pipeline", "setting"),
    [("anomaly", "evaluator.threshold=conformal"), ("detector", "data.held_out=0")],
)
def test_a_conformal_threshold_without_held_out_rows_is_one_line_that_mends_it(
    pipeline: str, setting: str, command: str, aepipe: Aepipe
) -> None:
    result = aepipe(*command.split(), pipeline, "--set", setting)
    assert (result.exit_code, result.err) == (2, f"aepipe: {CONFORMAL}\n")


@pytest.mark.parametrize("of_file", [True, False], ids=["file", "command line"])
def test_a_conformal_threshold_with_held_out_rows_needs_no_more(
    of_file: bool, write: Write, aepipe: Aepipe
) -> None:
    settings = ("evaluator.threshold=conformal", "data.held_out=0.2")
    text = 'evaluator.threshold = "conformal"\ndata.held_out = 0.2' if of_file else ""
    path = write(f'[heart]\nbase = "anomaly"\n{text}')
    given = () if of_file else [word for one in settings for word in ("--set", one)]

    result = aepipe("config", "heart", "--config", path, *given, "--json")

    (found,) = json.loads(result.out)["pipelines"]
    values = {row["setting"]: row["value"] for row in found["settings"]}
    assert (values["evaluator.threshold"], values["data.held_out"]) == ("conformal", 0.2)


def test_a_bound_is_set_and_taken_away(write: Write) -> None:
    text = """
    [anomaly.evaluator.lower_bounds]
    roc_auc = 0.5
    accuracy = "none"
    """
    changed = read_config_file(write(text)).pipelines["anomaly"].config
    assert changed.evaluator.lower_bounds == {"roc_auc": 0.5}
    tutorial = dict(ANOMALY.evaluator.tutorial_lower_bounds)
    del tutorial["accuracy"]
    assert changed.evaluator.tutorial_lower_bounds == tutorial


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[heart]\nbase = anomaly", "own.toml: not valid TOML: Invalid value (at line 2, column 8"),
        ("[heart]\n[heart]", "(at line 2, column 7)"),
        ("trainer.epochs = 3", "own.toml:1: [trainer] a new pipeline starts from another"),
        ("length = 3", "own.toml:1: [length] expected a pipeline's table, such as [length]"),
        ("[[heart]]", "own.toml:1: [heart] expected a pipeline's table"),
        ("\n[heart]\ndata.length = 3", 'own.toml:2: [heart] a new pipeline starts from another: '
         'add base = "basic" or "denoise" or "anomaly" or "detector" '
         'or "basic_plus" or "denoise_plus"'),
        ("[anomly]", "(or did you mean [anomaly]?)"),
        ('[all]\nbase = "basic"', "and not all, which means all pipelines"),
        ('["a b"]\nbase = "basic"', "own.toml:1: [a b] expected a pipeline name of letters"),
        ('[heart]\nbase = "anomly"', "own.toml:2: [heart] base='anomly': there is no such "
         "pipeline; did you mean anomaly?"),
        ("[heart]\nbase = 3", "own.toml:2: [heart] base=3: there is no such pipeline"),
        ('[basic]\nbase = "anomaly"', "own.toml:2: [basic] base='anomaly': basic is built in"),
        ('[a]\nbase = "b"\n[b]\nbase = "c"\n[c]\nbase = "a"',
         "own.toml:6: [c] base='a': goes round in a circle: a -> b -> c -> a"),
        ('[a]\nbase = "a"', "own.toml:2: [a] base='a': goes round in a circle: a -> a"),
        ("[basic]\n\ntrainer.epoch = 3", "own.toml:3: [basic] trainer.epoch: pipeline basic has "
         "no such setting; did you mean trainer.epochs?"),
        ("[basic]\ndata.length = 3", "own.toml:2: [basic] data.length: pipeline basic has no"),
        ("[basic]\nlos = 'mse'", "did you mean loss?"),
        ("[basic]\nname = 'x'", "own.toml:2: [basic] name: the table's own, [basic], is the name"),
        ("[basic]\ntrainer = 3", "own.toml:2: [basic] trainer: expected settings, such as trainer"),
        ("[basic]\ntrainer.epochs = '3'",
         'own.toml:2: [basic] trainer.epochs="3": expected a whole number, without quotes'),
        ("[basic]\ntrainer.epochs = 1.5", "trainer.epochs=1.5: expected a whole number"),
        ("[basic]\ntrainer.epochs = true", "trainer.epochs=true: expected a whole number"),
        ("[basic.trainer]\nepochs = 0", "own.toml:2: [basic] trainer.epochs=0: expected 1 or more"),
        ("[basic]\ntrainer.learning_rate = '1e-3'", "expected a number, without quotes"),
        (f"[basic]\ntrainer.learning_rate = {'9' * 400}", "trainer.learning_rate=inf: expected"),
        ("[basic]\ntrainer.learning_rate = nan", "expected above 0, up to 100"),
        ("[basic]\ntrainer.warm_start = 1", "trainer.warm_start=1: expected true or false"),
        ("[basic]\ntrainer.warm_start = 'yes'", "expected true or false, without quotes"),
        ("[basic]\ntrainer.epochs = 2024-01-01", 'trainer.epochs="2024-01-01": expected a whole'),
        ("[basic]\ndescription = 3", "description=3: expected text in quotes"),
        ("[basic]\ndescription = '''a\nb'''", "own.toml:2: [basic] description='a\\nb': expected"),
        ("[basic]\nschedule.tags = 'a,b'", "expected an array of texts, such as [\"a\", \"b\"]"),
        ("[basic]\nschedule.tags = [1.5]", "schedule.tags=[1.5]: expected an array of texts"),
        ("[basic]\nloss = 'mea'", "own.toml:2: [basic] loss='mea': expected one of mse, mae"),
        ("[basic]\nmodel = 'Basic'", "own.toml:2: [basic] model='Basic': expected one of Basic"),
        ("[basic]\nschema = 'heart.pbtxt'", "expected one of image.pbtxt, signal.pbtxt; a file of "
         "your own is data.schema"),
        ("[anomaly]\ndata.split = 'random'", "data.split='random': expected one of hash"),
        ("[basic.evaluator.upper_bounds]\nval_los = 1", "did you mean evaluator.upper_bounds.val_"),
        ("[basic.evaluator.upper_bounds]\nval_loss = 'no'", "val_loss=\"no\": expected a number"),
        ("[basic.evaluator.upper_bounds]\nval_loss = inf", "own.toml:2: [basic] evaluator.upper"),
        ("[basic]\nschedule.cron = 'daily'", "own.toml:2: [basic] schedule.cron='daily': expected"),
        ("[heart]\nbase='basic'\n[heart.pusher]\nmodel_name='a/b'", "own.toml:4: [heart] pusher."),
        ("[heart]\nbase='basic'\npusher.model_name='ecg_anomaly_detector'", "own.toml:3: [heart] "
         "pusher.model_name='ecg_anomaly_detector': the model of pipeline anomaly; name another"),
        ("[basic_autoencoder]\nbase='anomaly'", "own.toml:1: [basic_autoencoder] pusher."),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_line_and_setting(
    text: str, sentence: str, write: Write
) -> None:
    with pytest.raises(UserInputError) as caught:
        read_config_file(write(text))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{write(text)}:")


def test_a_file_of_an_editor_of_windows(write: Write) -> None:
    path = write("")
    path.write_bytes(b'\xef\xbb\xbf[heart]\r\nbase = "basic"\r\ntrainer.epochs = 0\r\n')
    with pytest.raises(UserInputError, match=r"own\.toml:3: \[heart\] trainer\.epochs=0"):
        read_config_file(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "No such file"), (b"\xff[heart]", "not a text in UTF-8"), (b"a\x00", "not valid TOML")],
)
def test_a_file_that_cannot_be_read_is_one_line(
    content: bytes | None, sentence: str, tmp_path: Path, aepipe: Aepipe
) -> None:
    path = tmp_path / "own.toml"
    if content is not None:
        path.write_bytes(content)
    result = aepipe("run", "heart", "--config", path)
    assert result.exit_code == 2
    (line,) = result.err.splitlines()
    assert str(path) in line
    assert sentence in line


def test_a_setting_of_the_command_line_goes_over_the_files(write: Write, aepipe: Aepipe) -> None:
    result = aepipe("run", "heart", "--config", write(HEART), "--set", "trainer.epochs=0")
    assert (result.exit_code, result.err) == (
        2,
        "aepipe: trainer.epochs=0: expected 1 or more, up to 1000000\n",
    )


@pytest.mark.parametrize("where", ["before", "after", "environment"])
def test_the_file_is_named_before_or_after_the_command_or_by_the_environment(
    where: str, write: Write, aepipe: Aepipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    option = ["--config", str(write(HEART))]
    if where == "environment":
        monkeypatch.setenv("AEPIPE_CONFIG", option.pop())
        option.clear()
    data = ["data", "sample", "heart", "--out", str(tmp_path / "data"), "--json"]
    result = aepipe(*option, *data) if where == "before" else aepipe(*data, *option)
    (sample,) = json.loads(result.out)["samples"]
    assert sample["pipeline"] == "heart"
    row = next((tmp_path / "data" / "ecg").glob("*.csv")).read_text().split("\n", 1)[0]
    assert row.count(",") == 187
    assert "heart" not in PIPELINES


def test_the_option_after_the_command_goes_over_the_environment(
    write: Write, aepipe: Aepipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AEPIPE_CONFIG", str(tmp_path / "absent.toml"))
    assert aepipe("run", "heart", "--config", write(HEART), "--help").exit_code == 0
    assert aepipe("run", "heart", "--config", write(HEART), "--set", "x=1").err.startswith(
        "aepipe: --set x: pipeline heart has no such setting"
    )


@pytest.mark.parametrize(
    "command", ["run", "data sample", "data fetch", "doctor", "compile kubeflow", "runs prune"]
)
def test_help_names_the_files_pipelines(command: str, write: Write, aepipe: Aepipe) -> None:
    assert "|heart|" in aepipe(*command.split(), "--config", write(HEART), "--help").out
    assert "|heart|" not in aepipe(*command.split(), "--help").out


def test_the_tab_key_completes_the_files_pipelines(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AEPIPE_CONFIG": str(write(HEART)),
        "COMP_WORDS": "aepipe run h",
        "COMP_CWORD": "2",
        "_AEPIPE_COMPLETE": "bash_complete",
    }.items():
        monkeypatch.setenv(name, value)
    command = Path(sys.executable).with_name("aepipe")
    completed = subprocess.run([command], capture_output=True, text=True, check=True)
    assert completed.stdout.split() == ["plain,heart"]


def test_a_run_of_a_pipeline_that_no_file_holds_any_more_is_one_line(
    tmp_path: Path, aepipe: Aepipe
) -> None:
    from pipeline.run.outcome import OUTCOME_FILE, RunOutcome

    folder = tmp_path / "runs" / "heart-20240101-000000-abcd"
    folder.mkdir(parents=True)
    outcome = RunOutcome("heart", folder.name, "pushed")
    (folder / OUTCOME_FILE).write_text(json.dumps(outcome.as_dict()))
    result = aepipe("report", "--home", tmp_path)
    assert (result.exit_code, result.err) == (
        2,
        "aepipe: no pipeline heart (there is basic, denoise, anomaly, detector, basic_plus, "
        "denoise_plus); one of your own needs its file: --config FILE\n",
    )


def test_schedulers_see_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"AEPIPE_CONFIG": str(write(HEART)), "AEPIPE_SET": "trainer.epochs=9"}
    assert [c.name for c in scheduled_configs(environ)] == [
        "basic",
        "denoise",
        "anomaly",
        "detector",
        "basic_plus",
        "denoise_plus",
        "heart",
    ]
    heart = scheduled_config("heart", environ)
    assert (heart.trainer.epochs, heart.trainer.learning_rate) == (9, 1.0)
    with pytest.raises(UserInputError, match="no pipeline heart"):
        scheduled_config("heart", {})


def test_a_relative_file_of_a_scheduler_counts_from_the_repository() -> None:
    with pytest.raises(UserInputError, match=os.path.join("folder", "absent.toml")):  # noqa: PTH118
        use_config_file({"AEPIPE_CONFIG": "absent.toml"}, Path("folder"))


def test_the_files_that_the_documentation_shows_are_taken(write: Write) -> None:
    docs = Path(__file__).parents[2] / "docs"
    pages = [page.read_text() for page in (docs.parent / "README.md", *docs.glob("*.md"))]
    shown = [text for page in pages for text in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)]
    assert shown
    for text in shown:
        assert read_config_file(write(text)).pipelines
    for name in ("heart", "garments"):
        (text,) = [text for text in shown if text.startswith(f"# docs/{name}.toml\n")]
        assert tomllib.loads((docs / f"{name}.toml").read_text()) == tomllib.loads(text)


def test_an_error_of_a_setting_names_it() -> None:
    with pytest.raises(SettingError) as caught:
        dataclasses.replace(ANOMALY.trainer, epochs=0)
    assert caught.value.setting == "trainer.epochs"
