"""`aepipe models threshold`: what it shows, the version that it pushes, and what it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from ml_metadata.proto.metadata_store_pb2 import Event

from pipeline.home import Home
from pipeline.models.pushed_versions import pushed_versions, why_not_served
from pipeline.prune import _pushed_by_runs
from pipeline.run.lineage import open_store
from serving.push_directory.layout import list_versions
from serving.push_directory.manifest import find_damage, read_manifest, write_manifest
from serving.push_directory.model_versions import served_version
from serving.push_directory.push import push
from tests.conftest import Aepipe, Result
from tests.pipeline.models.conftest import MODEL
from tests.pipeline.scoring.tiny_served import (
    THRESHOLD,
    ExplainingDetector,
    TinyDetector,
    TinyReconstructor,
    make_signals,
)
from tests.serving.conftest import eventually, running_server

NORMAL_ERRORS = np.linspace(0.1, 1.0, 99, dtype=np.float32)
WARMUP = "assets.extra/tf_serving_warmup_requests"
METRICS = {"accuracy": 0.9, "f1": 0.8, "roc_auc": 0.7, "val_loss": 0.3}

Threshold = Callable[..., Result]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """SavedModels by name: of a detector, of one from before, and of no detector."""
    folder = tmp_path_factory.mktemp("saved")
    modules = {
        "detector": ExplainingDetector(NORMAL_ERRORS),
        "before": TinyDetector(),
        "reconstructor": TinyReconstructor(),
    }
    for name, module in modules.items():
        module.save(folder / name)
        (folder / name / "assets.extra").mkdir()
        (folder / name / WARMUP).write_bytes(b"")
    return {name: folder / name for name in modules}


def push_model(
    folder: Path,
    source: Path,
    run_id: str = "anomaly-20260101T000000-abcd",
    keep: int = 5,
    split: str = "calibration",
) -> tuple[int, list[str]]:
    def fill(directory: Path, version: int) -> None:
        shutil.copytree(source, directory, dirs_exist_ok=True)
        evaluation = {
            "metrics": METRICS,
            "threshold": THRESHOLD,
            "threshold_from": {"strategy": "mean_std", "k": 1.0, "examples": 99, "split": split},
            "blessed": True,
        }
        write_manifest(
            directory,
            model_name=folder.name,
            version=version,
            run_id=run_id,
            run={"pipeline": "anomaly"},
            evaluation=evaluation,
            signatures={"serving_default": {}},
            judged_model=f"judged/{run_id}",
        )

    destination, notices = push(folder, fill, run_id=run_id, keep=keep)
    return int(destination.name), notices


@pytest.fixture
def pushed(home: Home, folder: Path, saved: dict[str, Path]) -> int:
    """The version of a detector that is served, in a home with older ones that are no models."""
    for version in list_versions(folder):
        shutil.rmtree(folder / str(version))
    return push_model(folder, saved["detector"])[0]


@pytest.fixture
def threshold(aepipe: Aepipe, home: Home) -> Threshold:
    def call(*arguments: str, model: str = "anomaly", **options: Any) -> Result:
        more = [f"--{name}={value}" for name, value in options.items()]
        return aepipe("models", "threshold", model, *arguments, *more, "--home", home.root)

    return call


def changed(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.err
    (made,) = json.loads(result.out)["changes"]
    return dict(made)


def served(version: Path) -> dict[str, np.ndarray]:
    model = tf.saved_model.load(str(version))
    outputs = model.signatures["serving_default"](signal=tf.constant(make_signals(40)))
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def everything_in(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".lock" not in path.name)
    return {str(path): path.read_bytes() for path in files}


def test_the_threshold_is_shown_with_what_it_promises(threshold: Threshold, pushed: int) -> None:
    found = json.loads(threshold("show", "--json").out)
    above = int((np.float32(THRESHOLD) < NORMAL_ERRORS).sum())

    assert found == {
        "model": MODEL,
        "version": pushed,
        "threshold": pytest.approx(THRESHOLD),
        "threshold_from": {
            "strategy": "mean_std",
            "k": 1.0,
            "examples": 99,
            "split": "calibration",
        },
        "normal_errors": 99,
        "false_alarm_rate": pytest.approx((1 + above) / 100),
    }
    text = " ".join(threshold("show").out.split())
    assert f"{MODEL} version {pushed} threshold 0.6 set from strategy mean_std, " in text
    assert f"{(1 + above) / 100:.2%} of normal examples, by 99 that were held out" in text


def test_another_threshold_is_a_version_of_its_own(
    threshold: Threshold, home: Home, folder: Path, pushed: int
) -> None:
    before = served(folder / str(pushed))
    value = float(np.median(before["error"]))

    made = changed(threshold("set", str(value), "--json"))

    version = folder / str(made["to_version"])
    assert (made["action"], made["from_version"], made["served"]) == (
        "threshold",
        pushed,
        int(version.name),
    )
    assert list_versions(folder) == [pushed, int(version.name)]
    after = served(version)
    np.testing.assert_array_equal(after["threshold"], np.float32(value))
    np.testing.assert_array_equal(after["is_anomaly"], before["error"] > np.float32(value))
    for name in before.keys() - {"threshold", "is_anomaly"}:
        np.testing.assert_array_equal(after[name], before[name])
    assert find_damage(version) is None
    assert {WARMUP, "fingerprint.pb", "saved_model.pb"} <= read_manifest(version)["files"].keys()
    assert MODEL in (folder.parent / "models.config").read_text()
    _check_record(home, folder, made, value)


def _check_record(home: Home, folder: Path, made: dict[str, Any], value: float) -> None:
    manifest = read_manifest(folder / str(made["to_version"]))
    run = "anomaly-20260101T000000-abcd"
    change = manifest["threshold_change"]
    assert (change["from_version"], change["from_run"]) == (made["from_version"], run)
    assert (change["strategy"], change["false_alarm_rate"]) == ("manual", None)
    assert change["old_threshold"] == pytest.approx(THRESHOLD)
    assert change["new_threshold"] == manifest["threshold"] == np.float32(value)
    assert manifest["run_id"] is None
    assert manifest["judged_model"] == f"judged/{run}"
    # The others were measured with the other threshold.
    assert manifest["metrics"] == {"roc_auc": 0.7, "val_loss": 0.3}
    assert _pushed_by_runs(home)[run].startswith(MODEL)
    (execution,) = open_store(home, "anomaly").get_executions_by_type("aepipe.ModelThreshold")
    properties = execution.custom_properties
    assert properties["to_version"].int_value == made["to_version"]
    assert properties["from_version"].int_value == made["from_version"]
    assert properties["new_threshold"].double_value == pytest.approx(value)
    assert properties["strategy"].string_value == "manual"
    assert properties["user"].string_value == change["user"]
    rows = pushed_versions(folder)
    assert [(row.version, row.state) for row in rows] == [
        (made["to_version"], "served"),
        (made["from_version"], "kept"),
    ]


def test_a_threshold_is_rolled_back_like_any_push(
    threshold: Threshold, aepipe: Aepipe, home: Home, folder: Path, pushed: int
) -> None:
    made = changed(threshold("set", "0.5", "--json"))
    result = threshold("set", "0.7")
    assert result.exit_code == 0
    assert "threshold 0.7 in the new version" in result.out
    assert f"aepipe models rollback {MODEL} goes back" in result.out

    aepipe("models", "rollback", MODEL, "--home", home.root)
    assert served_version(folder) == made["to_version"]
    aepipe("models", "rollback", MODEL, "--home", home.root)
    assert served_version(folder) == pushed

    # The one that is served is what a change starts from, as newer ones are withheld.
    again = changed(threshold("set", "0.5", "--json"))
    assert (again["from_version"], again["served"]) == (pushed, again["to_version"])


def test_a_pinned_version_stays_served(
    threshold: Threshold, aepipe: Aepipe, home: Home, folder: Path, pushed: int
) -> None:
    aepipe("models", "pin", MODEL, "--home", home.root)

    made = changed(threshold("set", "0.5", "--json"))

    assert (made["served"], made["pinned"]) == (pushed, pushed)
    assert list_versions(folder) == [pushed, made["to_version"]]


def test_as_many_versions_stay_as_the_pipeline_says(
    threshold: Threshold, folder: Path, pushed: int, tmp_path: Path
) -> None:
    config = tmp_path / "keep.toml"
    config.write_text("[anomaly]\npusher.keep = 2\n")

    first = changed(threshold("set", "0.5", "--json", config=config))
    second = changed(threshold("set", "0.7", "--json", config=config))

    assert (first["removed"], second["removed"]) == ([], [pushed])
    assert list_versions(folder) == [first["to_version"], second["to_version"]]


def test_a_later_push_says_that_it_replaces_a_threshold_set_by_hand(
    threshold: Threshold, folder: Path, pushed: int, saved: dict[str, Path]
) -> None:
    made = changed(threshold("set", "0.5", "--json"))

    # What a run does that finds its stages in the cache: it pushes nothing and says so.
    (sentence,) = why_not_served(folder / str(pushed))
    assert f"is served as {made['to_version']} with the threshold 0.5 that" in sentence
    assert sentence.endswith(f"aepipe models rollback {MODEL} --to {pushed}")

    version, notices = push_model(folder, saved["detector"], "anomaly-20260102T000000-abcd")

    assert served_version(folder) == version
    (notice,) = notices
    assert "the threshold 0.5 that was set by hand is not served any more" in notice
    assert notice.endswith(f"aepipe models threshold {MODEL} set 0.5")


def test_a_version_from_before_has_no_rate_and_takes_a_threshold(
    threshold: Threshold, folder: Path, pushed: int, saved: dict[str, Path]
) -> None:
    push_model(folder, saved["before"], "anomaly-20260102T000000-abcd")

    found = json.loads(threshold("show", "--json").out)
    assert (found["normal_errors"], found["false_alarm_rate"]) == (None, None)
    assert "not known: the version was pushed without" in threshold("show").out
    made = changed(threshold("set", "0.5", "--json"))
    assert served(folder / str(made["to_version"]))["threshold"][0] == 0.5


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_a_false_alarm_rate_sets_the_conformal_threshold(
    threshold: Threshold, folder: Path, pushed: int, rate: float
) -> None:
    made = changed(threshold("false-alarm-rate", str(rate), "--json"))

    change = made["threshold"]
    assert (change["strategy"], change["false_alarm_rate"]) == ("conformal", rate)
    value = np.sort(NORMAL_ERRORS)[99 - round(100 * rate)]
    assert change["new_threshold"] == value
    found = json.loads(threshold("show", "--json").out)
    assert found["threshold"] == value
    assert found["false_alarm_rate"] == pytest.approx(rate)
    origin = found["threshold_from"]
    assert (origin["strategy"], origin["split"], origin["examples"]) == (
        "conformal",
        "calibration",
        99,
    )
    # Another one starts from the same normal errors.
    again = changed(threshold("false-alarm-rate", "0.1", "--json"))
    assert again["threshold"]["new_threshold"] == NORMAL_ERRORS[89]


def test_a_rate_takes_enough_normal_examples_that_were_held_out(
    threshold: Threshold, folder: Path, pushed: int, saved: dict[str, Path]
) -> None:
    def refused(rate: str) -> str:
        result = threshold("false-alarm-rate", rate)
        assert (result.exit_code, result.out) == (2, "")
        (line,) = result.err.splitlines()
        return line

    assert "holds the errors of 99 held-out normal examples, and a false-alarm" in refused("0.005")
    assert "a false-alarm rate of 0.005 takes 199 or more" in refused("0.005")
    push_model(folder, saved["detector"], "anomaly-20260102T000000-abcd", split="train")
    assert "holds no errors of normal examples that were held out" in refused("0.05")
    push_model(folder, saved["before"], "anomaly-20260103T000000-abcd")
    assert "holds no errors of normal examples that were held out" in refused("0.05")
    assert len(list_versions(folder)) == 3


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("false-alarm-rate", "0"), "false-alarm rate 0: expected 0.000001 to 0.5"),
        (("false-alarm-rate", "5"), "false-alarm rate 5: expected 0.000001 to 0.5"),
        (("false-alarm-rate", "-1"), "false-alarm rate -1: expected 0.000001 to 0.5"),
        (("false-alarm-rate", "nan"), "false-alarm rate nan: expected 0.000001 to 0.5"),
        (("set", "nan"), "threshold nan: expected a reconstruction error, 0 or above"),
        (("set", "-0.5"), "threshold -0.5: expected a reconstruction error, 0 or above"),
        (("set", "inf"), "threshold inf: expected a reconstruction error, 0 or above"),
        (("set", "1e39"), "threshold 1e39: expected a reconstruction error, 0 or above"),
        (("set", "high"), "threshold high: expected a reconstruction error, 0 or above"),
        (("set", "0.6"), "has the threshold 0.6 already"),
        (("set",), "set takes a value"),
        (("show", "0.6"), "show takes no value"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    threshold: Threshold, home: Home, pushed: int, arguments: tuple[str, ...], reason: str
) -> None:
    before = everything_in(home.push_root)

    result = threshold(*arguments)

    assert (result.exit_code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert line.startswith("aepipe: ")
    assert reason in line
    assert everything_in(home.push_root) == before


def test_what_has_no_threshold_to_set_is_refused(
    threshold: Threshold, home: Home, folder: Path, pushed: int, saved: dict[str, Path]
) -> None:
    def refused(model: str = "anomaly") -> str:
        result = threshold("set", "0.5", model=model)
        assert (result.exit_code, result.out) == (2, "")
        (line,) = result.err.splitlines()
        return line

    push_model(home.push_root / "basic_autoencoder", saved["reconstructor"])
    assert "no model heart; there is basic_autoencoder, ecg_anomaly_detector" in refused("heart")
    assert "only reconstructs and has no threshold" in refused("basic")
    (folder / str(pushed) / "variables" / "variables.index").write_bytes(b"")
    assert "differs from what was pushed" in refused()
    manifest = folder / str(pushed) / "aepipe.json"
    manifest.unlink()
    assert "its variables cannot be read" in refused()
    assert list_versions(folder) == [pushed]


def test_a_running_server_answers_by_the_new_threshold_and_fails_no_request(
    threshold: Threshold, home: Home, folder: Path, pushed: int
) -> None:
    signals = make_signals(3)
    with running_server(home.push_root) as server:

        def thresholds() -> set[float]:
            answer = server.predict(signals, MODEL)
            np.testing.assert_array_equal(
                answer["is_anomaly"], answer["error"] > answer["threshold"]
            )
            return set(answer["threshold"].tolist())

        assert thresholds() == {np.float32(THRESHOLD)}
        made = changed(threshold("set", "0.25", "--json"))
        # `predict` asserts that each request in between is answered.
        eventually(lambda: thresholds() == {0.25})
        eventually(lambda: server.states(MODEL)[pushed] == "END")
        assert server.states(MODEL)[made["to_version"]] == "AVAILABLE"
        assert thresholds() == {0.25}


def test_the_record_names_the_version_that_the_weights_came_from(
    threshold: Threshold, home: Home, folder: Path, pushed: int
) -> None:
    store = open_store(home, "anomaly")
    (artifact,) = [
        one
        for one in store.get_artifacts_by_type("PushedModel")
        if one.custom_properties["pushed_version"].string_value == "13"
    ]
    artifact.custom_properties["pushed_destination"].string_value = str(folder / str(pushed))
    store.put_artifacts([artifact])

    changed(threshold("set", "0.5", "--json"))

    (execution,) = store.get_executions_by_type("aepipe.ModelThreshold")
    (event,) = store.get_events_by_execution_ids([execution.id])
    assert (event.type, event.artifact_id) == (Event.INPUT, artifact.id)
    assert event.path.steps[0].key == "from_version"
