"""`aepipe models`: what it changes, prints, refuses and records."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from ml_metadata.proto.metadata_store_pb2 import Event, Execution
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from pipeline.home import Home
from pipeline.run.lineage import open_store
from serving.push_directory.layout import list_versions
from serving.push_directory.model_versions import served_version
from tests.conftest import Aepipe, Result
from tests.pipeline.models.conftest import MODEL, push_by_hand
from tests.serving.push_directory.whole_version import write_pushed_version

Models = Callable[..., Result]


@pytest.fixture
def models(aepipe: Aepipe, home: Home) -> Models:
    def call(command: str, *arguments: str) -> Result:
        return aepipe("models", *command.split(), *arguments, "--home", home.root)

    return call


def change(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.err
    (reported,) = json.loads(result.out)["changes"]
    return dict(reported)


def version_file(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "versions.json").read_text())
    return content


def tf_serving_versions(folder: Path) -> list[int]:
    text = (folder.parent / "models.config").read_text()
    (entry,) = text_format.Parse(text, ModelServerConfig()).model_config_list.config
    return list(entry.model_version_policy.specific.versions)


def recorded(home: Home) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
    """Type, properties and input artifacts (role -> URI) of what is recorded, oldest first."""
    store = open_store(home, "anomaly")
    found = []
    for execution in sorted(store.get_executions(), key=lambda execution: execution.id):
        assert execution.last_known_state == Execution.COMPLETE
        properties = {
            name: getattr(value, value.WhichOneof("value"))
            for name, value in execution.custom_properties.items()
        }
        inputs = {}
        for event in store.get_events_by_execution_ids([execution.id]):
            assert event.type == Event.INPUT
            (artifact,) = store.get_artifacts_by_id([event.artifact_id])
            inputs[artifact.uri] = event.path.steps[0].key
        found.append((execution.type, properties, inputs))
    return found


@pytest.mark.parametrize("command", ["list", "rollback", "label", "pin", "unpin", "prune"])
def test_each_command_has_help(aepipe: Aepipe, command: str) -> None:
    result = aepipe("models", command, "--help")

    assert result.exit_code == 0
    assert f"models {command} [OPTIONS]" in result.out
    assert "--models-dir" in result.out


def test_the_list_has_a_row_a_version(models: Models, folder: Path) -> None:
    models("label", MODEL, "stable", "12")
    models("rollback", MODEL, "--to", "12")

    rows = json.loads(models("list --json").out)["versions"]

    assert rows[1] == {
        "model": MODEL,
        "version": 12,
        "state": "served",
        "labels": ["stable"],
        "pinned": False,
        "pushed_at": "2026-01-01T00:00:12+00:00",
        "run_id": "anomaly-20260101T000012-abcd",
        "metric": "f1",
        "value": 0.12,
        "threshold": 0.012,
        "bytes": 1000 + (folder / "12" / "aepipe.json").stat().st_size,
        "fault": None,
        "verified": False,
    }
    assert [(row["version"], row["state"]) for row in rows] == [
        (13, "withheld"),
        (12, "served"),
        (11, "kept"),
    ]


def test_the_list_for_people(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    models("pin", MODEL, "12")

    lines = models("list").out.splitlines()

    assert len(lines) == 4
    for part in (MODEL, "12", "served, pinned", "f1 0.12", "0.012", "0.0 MB"):
        assert part in lines[2]


def test_a_version_without_a_manifest_is_listed(models: Models, folder: Path) -> None:
    push_by_hand(folder, 14, pipeline=None)
    push_by_hand(folder, 15)
    (folder / "15" / "aepipe.json").write_text("[")

    rows = json.loads(models("list --json").out)["versions"]

    assert [(row["version"], row["run_id"], row["metric"]) for row in rows[:2]] == [
        (15, None, None),
        (14, None, None),
    ]


def test_there_is_nothing_in_a_new_home(aepipe: Aepipe, tmp_path: Path) -> None:
    result = aepipe("models", "list", "--home", tmp_path / "new", "--json")

    assert (result.exit_code, json.loads(result.out)) == (0, {"versions": []})


def test_a_rollback_serves_the_version_before_until_the_next_push(
    models: Models, home: Home, folder: Path
) -> None:
    result = models("rollback", "anomaly")

    assert result.exit_code == 0, result.err
    assert result.err == ""
    assert result.out.splitlines() == [
        f"{MODEL}: rolled back from 13 to 12",
        "  served by default: 12",
        "  withheld: 13",
        "  a version pushed later takes over",
    ]
    assert version_file(folder) == {"withheld": [13]}
    assert tf_serving_versions(folder) == [12]
    push_by_hand(folder, 14)
    assert served_version(folder) == 14
    ((kind, properties, inputs),) = recorded(home)
    assert kind == "aepipe.ModelRollback"
    assert properties["from_version"] == 13
    assert properties["to_version"] == 12
    assert properties["model"] == MODEL
    assert properties["user"]
    assert properties["time"].endswith("+00:00")
    assert inputs == {"archive/13": "from_version", "archive/12": "to_version"}


@pytest.mark.parametrize(
    ("before", "to", "after", "served"),
    [
        ({}, None, {"withheld": [13]}, 12),
        ({}, 11, {"withheld": [12, 13]}, 11),
        ({}, 13, {}, 13),
        ({"withheld": [13]}, None, {"withheld": [12, 13]}, 11),
        # What was rolled back once is passed over.
        ({"withheld": [12]}, None, {"withheld": [12, 13]}, 11),
        ({"withheld": [11]}, None, {"withheld": [11, 13]}, 12),
        # A withheld version is restored, and those before it.
        ({"withheld": [12, 13]}, 13, {}, 13),
        ({"withheld": [12, 13]}, 12, {"withheld": [13]}, 12),
        ({"withheld": [12]}, 12, {"withheld": [13]}, 12),
        # A pin moves along.
        ({"pinned": 13}, None, {"pinned": 12, "withheld": [13]}, 12),
        ({"pinned": 12}, None, {"pinned": 11, "withheld": [12, 13]}, 11),
        ({"pinned": 11}, 13, {"pinned": 13}, 13),
        ({"pinned": 12}, 12, {"pinned": 12, "withheld": [13]}, 12),
        # A version that is gone is withheld no more.
        ({"withheld": [10, 99]}, None, {"withheld": [13]}, 12),
        ({"labels": {"canary": 13}}, None, {"labels": {"canary": 13}, "withheld": [13]}, 12),
    ],
)
def test_what_a_rollback_leaves(
    models: Models,
    folder: Path,
    before: dict[str, Any],
    to: int | None,
    after: dict[str, Any],
    served: int,
) -> None:
    (folder / "versions.json").write_text(json.dumps(before))

    reported = change(models("rollback", MODEL, "--json", *(["--to", str(to)] if to else [])))

    assert version_file(folder) == after
    assert reported["served"] == served_version(folder) == served
    assert reported["changed"] == (before != after)


@pytest.mark.parametrize(
    ("content", "arguments", "line"),
    [
        ({}, ["--to", "9"], "no version 9; there is 11, 12, 13"),
        ({"withheld": [12, 13]}, [], "no version before 11 to go back to; there is 11, 12, 13"),
        ({"withheld": [11, 12]}, [], "no version before 13 to go back to"),
        ({"pinned": 11}, [], "no version before 11"),
    ],
)
def test_a_rollback_to_nowhere_is_refused(
    models: Models,
    home: Home,
    folder: Path,
    content: dict[str, Any],
    arguments: list[str],
    line: str,
) -> None:
    (folder / "versions.json").write_text(json.dumps(content))

    result = models("rollback", MODEL, *arguments)

    assert result.exit_code == 2
    assert result.err.startswith(f"aepipe: {MODEL}: {line}")
    assert len(result.err.splitlines()) == 1
    assert version_file(folder) == content
    assert recorded(home) == []


@pytest.mark.parametrize(
    "command", ["rollback", "label MODEL stable", "pin MODEL", "unpin MODEL", "prune MODEL"]
)
def test_an_unknown_model_is_answered_with_the_nearest(models: Models, command: str) -> None:
    name, *rest = command.replace("MODEL", "ecg_anomaly_detecter").split()

    result = models(name, *(rest or ["ecg_anomaly_detecter"]))

    assert result.exit_code == 2
    assert f"no model ecg_anomaly_detecter; did you mean {MODEL}?" in result.err


@pytest.mark.parametrize("command", ["list", "rollback MODEL", "pin MODEL", "prune MODEL"])
def test_a_malformed_version_file_is_one_line(models: Models, folder: Path, command: str) -> None:
    (folder / "versions.json").write_text('{"pined": 12}')

    result = models(command.replace("MODEL", MODEL))

    assert result.exit_code == 2
    assert result.err.startswith(f"aepipe: {folder}/versions.json: 'pined' is not known")
    assert len(result.err.splitlines()) == 1
    assert list_versions(folder) == [11, 12, 13]


def damage(folder: Path, version: int) -> None:
    (folder / str(version) / "variables" / "variables.index").unlink()


def test_a_damaged_version_is_listed_with_its_fault(models: Models, folder: Path) -> None:
    damage(folder, 13)
    shutil.rmtree(folder / "11")
    write_pushed_version(folder / "11")
    (folder / "11" / "saved_model.pb").write_text("Graph")
    (folder / "007").mkdir()
    (folder / "15").write_text("a file")

    listed = models("list")
    rows = json.loads(models("list --json").out)["versions"]

    assert [(row["version"], row["state"], row["fault"]) for row in rows] == [
        (13, "damaged", "variables/variables.index is missing"),
        (12, "served", None),
        (11, "damaged", "saved_model.pb differs from what was pushed"),
    ]
    assert listed.exit_code == 0
    assert listed.err.splitlines() == [
        f"notice: {MODEL} 13 is damaged: variables/variables.index is missing",
        f"notice: {MODEL} 11 is damaged: saved_model.pb differs from what was pushed",
    ]


def test_a_rollback_passes_over_a_damaged_version_and_says_so(models: Models, folder: Path) -> None:
    damage(folder, 12)

    result = models("rollback", MODEL)

    assert result.exit_code == 0, result.err
    assert f"{MODEL}: rolled back from 13 to 11" in result.out
    assert result.err == (
        f"notice: {MODEL}: 12 was passed over: variables/variables.index is missing\n"
    )
    # Repaired by hand, 12 does not take over by itself.
    assert version_file(folder) == {"withheld": [12, 13]}


@pytest.mark.parametrize("command", ["rollback MODEL --to 12", "pin MODEL 12", "label MODEL x 12"])
def test_a_damaged_version_is_not_chosen(models: Models, folder: Path, command: str) -> None:
    damage(folder, 12)

    result = models(command.replace("MODEL", MODEL))

    assert result.exit_code == 2
    assert result.err == (
        f"aepipe: {MODEL}: version 12 cannot be served: variables/variables.index is missing\n"
    )
    assert not (folder / "versions.json").exists()


def test_without_a_whole_version_nothing_is_changed(models: Models, folder: Path) -> None:
    for version in (11, 12, 13):
        damage(folder, version)

    for command in ("rollback", "pin", "prune"):
        result = models(command, MODEL)
        assert result.exit_code == 2
        assert "no version can be served; of 13, variables/variables.index" in result.err
        assert len(result.err.splitlines()) == 1
    assert json.loads(models("list --json").out)["versions"][0]["state"] == "damaged"


def test_labels_are_set_moved_and_removed(models: Models, home: Home, folder: Path) -> None:
    assert change(models("label", MODEL, "stable", "11", "--json"))["from_version"] is None
    assert change(models("label", MODEL, "canary", "--json"))["to_version"] == 13
    assert version_file(folder) == {"labels": {"canary": 13, "stable": 11}}
    assert tf_serving_versions(folder) == [11, 13]

    moved = models("label", MODEL, "stable", "12")
    assert "stable names 12" in moved.out
    # TensorFlow Serving would refuse the whole file: it has not loaded 12.
    assert "notice: TensorFlow Serving moves a label only to a version it has loaded" in moved.err
    assert models("label", MODEL, "canary", "--remove").exit_code == 0
    assert version_file(folder) == {"labels": {"stable": 12}}

    assert [
        (kind, properties["label"], properties.get("from_version"), properties.get("to_version"))
        for kind, properties, _ in recorded(home)
    ] == [
        ("aepipe.ModelLabel", "stable", None, 11),
        ("aepipe.ModelLabel", "canary", None, 13),
        ("aepipe.ModelLabel", "stable", 11, 12),
        ("aepipe.ModelLabel", "canary", 13, None),
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["a label"], "'a label': expected a label of letters"),
        (["12", "12"], "'12': expected a label of letters"),
        (["stable", "9"], f"{MODEL}: no version 9; there is 11, 12, 13"),
        (["stable", "--remove"], f"{MODEL}: no label stable; there is none"),
        (["stable", "12", "--remove"], "--remove takes a label away"),
    ],
)
def test_a_wrong_label_is_one_line(
    models: Models, folder: Path, arguments: list[str], line: str
) -> None:
    result = models("label", MODEL, *arguments)

    assert result.exit_code == 2
    assert result.err.startswith(f"aepipe: {line}")
    assert not (folder / "versions.json").exists()


def test_a_label_that_tf_serving_must_not_load_is_reported(models: Models, folder: Path) -> None:
    models("rollback", MODEL)

    result = models("label", MODEL, "canary", "13")

    assert result.exit_code == 0
    assert "label canary is left out of models.config while 12 is served" in result.err
    assert tf_serving_versions(folder) == [12]


def test_a_pin_outlasts_a_push_until_it_is_taken_away(
    models: Models, home: Home, folder: Path
) -> None:
    assert "12 is pinned, and stays served" in models("pin", MODEL, "12").out
    push_by_hand(folder, 14)
    assert served_version(folder) == 12
    assert tf_serving_versions(folder) == [12]

    assert "12 is not pinned any more" in models("unpin", MODEL).out

    assert served_version(folder) == 14
    assert [kind for kind, *_ in recorded(home)] == ["aepipe.ModelPin", "aepipe.ModelUnpin"]
    again = models("unpin", MODEL)
    assert (again.exit_code, again.err) == (2, f"aepipe: {MODEL}: no version is pinned\n")


def test_what_changes_nothing_says_so_and_is_not_recorded(models: Models, home: Home) -> None:
    result = models("rollback", MODEL, "--to", "13")

    assert result.exit_code == 0
    assert "nothing changed" in result.out
    assert recorded(home) == []


def test_pruning_reports_what_it_removed(models: Models, home: Home, folder: Path) -> None:
    models("label", MODEL, "stable", "11")

    reported = change(models("prune", MODEL, "--keep", "1", "--json"))

    assert reported["removed"] == [12]
    assert list_versions(folder) == [11, 13]
    kind, properties, inputs = recorded(home)[-1]
    assert kind == "aepipe.ModelPrune"
    assert json.loads(properties["removed"]) == [12]
    assert inputs == {"archive/12": "removed"}


def test_pruning_all_models_keeps_what_their_pipelines_say(
    models: Models, home: Home, folder: Path
) -> None:
    for version in range(14, 20):
        push_by_hand(folder, version)
    images = home.push_root / "basic_autoencoder"
    push_by_hand(images, 3, pipeline="basic")

    result = models("prune")

    assert result.exit_code == 0, result.err
    assert f"{MODEL}: removed 11, 12, 13, 14" in result.out
    assert "basic_autoencoder: nothing to remove" in result.out
    assert list_versions(folder) == [15, 16, 17, 18, 19]
    assert list_versions(images) == [3]


def test_a_model_of_no_pipeline_is_pruned_only_by_number(models: Models, home: Home) -> None:
    foreign = home.push_root / "foreign"
    for version in (1, 2):
        push_by_hand(foreign, version, pipeline=None)

    refused = models("prune")
    assert refused.exit_code == 2
    assert "foreign: no pipeline says how many versions stay; add --keep" in refused.err
    assert list_versions(foreign) == [1, 2]

    assert models("prune", "foreign", "--keep", "1").exit_code == 0
    assert list_versions(foreign) == [2]


def test_outside_a_home_a_change_is_made_and_not_recorded(
    aepipe: Aepipe, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder.parent, elsewhere)

    result = aepipe("models", "rollback", MODEL, "--models-dir", elsewhere)

    assert result.exit_code == 0
    assert result.err == (
        f"notice: not recorded: {elsewhere} is not in the output folder of a pipeline\n"
    )
    assert served_version(elsewhere / MODEL) == 12


def test_the_push_directory_of_a_home_is_recorded(aepipe: Aepipe, home: Home) -> None:
    result = aepipe("models", "rollback", MODEL, "--models-dir", home.push_root, "--json")

    assert json.loads(result.out)["recorded"] is True
    assert [kind for kind, *_ in recorded(home)] == ["aepipe.ModelRollback"]


def test_without_metadata_a_change_is_made_and_reported(models: Models, home: Home) -> None:
    home.metadata_path("anomaly").unlink()

    result = models("rollback", MODEL, "--json")

    assert change(result)["served"] == 12
    assert json.loads(result.out)["recorded"] is False
    assert result.err == f"notice: not recorded: there is no {home.metadata_path('anomaly')}\n"
    assert not home.metadata_path("anomaly").exists()


def test_metadata_that_is_no_database_does_not_stop_a_rollback(
    models: Models, home: Home, folder: Path
) -> None:
    home.metadata_path("anomaly").write_text("this is not SQLite, but long enough for a header" * 9)

    result = models("rollback", MODEL)

    assert result.exit_code == 0
    path = home.metadata_path("anomaly")
    assert f"notice: not recorded: {path}: damaged (not an SQLite file)" in result.err
    assert served_version(folder) == 12


def test_a_folder_that_is_not_there_is_one_line(aepipe: Aepipe, tmp_path: Path) -> None:
    result = aepipe("models", "list", "--models-dir", tmp_path / "none")

    assert result.exit_code == 2
    assert result.err == f"aepipe: --models-dir {tmp_path}/none: there is no such folder\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any folder")
def test_a_read_only_model_is_one_line(models: Models, folder: Path) -> None:
    folder.chmod(0o500)

    result = models("rollback", MODEL)

    folder.chmod(0o700)
    assert result.exit_code == 2
    assert "cannot be written to" in result.err
