"""Which version answers, as the push directory changes under a running server."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.push_directory.manifest import file_digests
from serving.push_directory.model_versions import read_versions
from tests.serving.conftest import RunningServer, eventually
from tests.serving.tiny_detector import push, push_broken, signals, write_version

SIGNAL = signals(1)


@pytest.fixture
def folder(changing_server: RunningServer, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The folder of a model of this test's own."""
    name = "".join(c if c.isalnum() else "_" for c in request.node.name)
    path = changing_server.models_dir / name
    path.mkdir()
    yield path
    shutil.rmtree(path)


def answers(server: RunningServer, folder: Path, suffix: str = "") -> float | None:
    """The level of the version that answers; None where none does."""
    response = server.post(
        f"/v1/models/{folder.name}{suffix}:predict", {"instances": SIGNAL.tolist()}
    )
    if response.status_code == 404:
        return None
    assert response.status_code == 200, response.text
    (row,) = response.json()["predictions"]
    level = row["reconstruction"][0] - float(SIGNAL[0, 0]) * 0.5
    return round(level, 3)


def write_policy(folder: Path, content: Any) -> None:
    hidden = folder / ".versions"
    hidden.write_text(content if isinstance(content, str) else json.dumps(content))
    hidden.rename(folder / "versions.json")


def test_a_pushed_version_takes_over_and_the_old_one_goes(
    changing_server: RunningServer, folder: Path
) -> None:
    push(folder, 1, level=1.0)
    eventually(lambda: answers(changing_server, folder) == 1.0)
    push(folder, 2, level=2.0)
    eventually(lambda: answers(changing_server, folder) == 2.0)
    eventually(lambda: changing_server.states(folder.name) == {2: "AVAILABLE", 1: "END"})
    assert answers(changing_server, folder, "/versions/1") is None
    assert changing_server.metric("aepipe_default_version", model=folder.name) == 2
    assert changing_server.metric("aepipe_version_loaded", model=folder.name, version=2) == 1
    assert changing_server.metric("aepipe_version_loaded", model=folder.name, version=1) == 0


def test_a_version_that_does_not_load_is_told_of_and_the_old_one_stays(
    changing_server: RunningServer, folder: Path
) -> None:
    push(folder, 1, level=1.0)
    eventually(lambda: answers(changing_server, folder) == 1.0)
    broken = push_broken(folder, 2)
    eventually(lambda: changing_server.states(folder.name).get(2) == "END")
    assert answers(changing_server, folder) == 1.0
    (status,) = changing_server.get(f"/v1/models/{folder.name}/versions/2").json()[
        "model_version_status"
    ]
    assert status["status"]["error_code"] == "FAILED_PRECONDITION"
    assert "variables" in status["status"]["error_message"]
    shutil.rmtree(broken)
    push(folder, 2, level=2.0)
    eventually(lambda: answers(changing_server, folder) == 2.0)


def test_a_version_that_is_copied_file_by_file_is_taken_when_it_is_whole(
    changing_server: RunningServer, folder: Path, tmp_path: Path
) -> None:
    push(folder, 1, level=1.0)
    eventually(lambda: answers(changing_server, folder) == 1.0)
    whole = write_version(tmp_path / "whole", level=2.0)
    copy = folder / "2"
    copy.mkdir()
    eventually(lambda: changing_server.states(folder.name).get(2) == "END")
    for name in ("saved_model.pb", "fingerprint.pb"):
        shutil.copy(whole / name, copy / name)
    assert answers(changing_server, folder) == 1.0
    shutil.copytree(whole / "variables", copy / "variables")
    eventually(lambda: answers(changing_server, folder) == 2.0)


def test_names_that_are_no_numbers_are_passed_over(
    changing_server: RunningServer, folder: Path, tmp_path: Path
) -> None:
    whole = write_version(tmp_path / "whole", level=9.0)
    for name in (".pushing-9", "9-copy", "v9", "nine", "-9", "9.0"):
        shutil.copytree(whole, folder / name)
    (folder / "10").write_text("a file, no folder")
    push(folder, 1, level=1.0)
    eventually(lambda: answers(changing_server, folder) == 1.0)
    assert changing_server.states(folder.name) == {1: "AVAILABLE"}


def test_numbers_are_compared_as_numbers(changing_server: RunningServer, folder: Path) -> None:
    push(folder, 9, level=9.0)
    push(folder, 10, level=10.0)
    eventually(lambda: answers(changing_server, folder) == 10.0)


def test_a_deleted_newest_version_gives_way_to_the_one_before(
    changing_server: RunningServer, folder: Path
) -> None:
    push(folder, 1, level=1.0)
    push(folder, 2, level=2.0)
    eventually(lambda: answers(changing_server, folder) == 2.0)
    shutil.rmtree(folder / "2")
    eventually(lambda: answers(changing_server, folder) == 1.0)
    shutil.rmtree(folder / "1")
    eventually(lambda: answers(changing_server, folder) is None)
    push(folder, 3, level=3.0)
    eventually(lambda: answers(changing_server, folder) == 3.0)


def test_labels(changing_server: RunningServer, folder: Path) -> None:
    for version in (1, 2, 3):
        push(folder, version, level=float(version))
    write_policy(folder, {"labels": {"stable": 1, "canary": 2}})
    eventually(lambda: answers(changing_server, folder, "/labels/stable") == 1.0)
    assert answers(changing_server, folder) == 3.0
    eventually(lambda: answers(changing_server, folder, "/labels/canary") == 2.0)
    assert answers(changing_server, folder, "/versions/1") == 1.0
    assert (
        changing_server.get(f"/v1/models/{folder.name}/labels/canary").json()[
            "model_version_status"
        ][0]["version"]
        == "2"
    )
    write_policy(folder, {"labels": {"stable": 3}})
    eventually(lambda: answers(changing_server, folder, "/labels/stable") == 3.0)
    eventually(lambda: answers(changing_server, folder, "/labels/canary") is None)
    assert answers(changing_server, folder, "/versions/1") is None


def test_a_pinned_version_stays_whatever_is_pushed(
    changing_server: RunningServer, folder: Path
) -> None:
    push(folder, 1, level=1.0)
    write_policy(folder, {"pinned": 1})
    push(folder, 2, level=2.0)
    push(folder, 3, level=3.0)
    eventually(lambda: answers(changing_server, folder) == 1.0)
    write_policy(folder, {"pinned": 2})
    eventually(lambda: answers(changing_server, folder) == 2.0)
    (folder / "versions.json").unlink()
    eventually(lambda: answers(changing_server, folder) == 3.0)


def test_a_version_that_was_rolled_back_waits_for_the_next_push(
    changing_server: RunningServer, folder: Path
) -> None:
    push(folder, 1, level=1.0)
    push(folder, 2, level=2.0)
    eventually(lambda: answers(changing_server, folder) == 2.0)
    write_policy(folder, {"withheld": [2]})
    eventually(lambda: answers(changing_server, folder) == 1.0)
    push(folder, 3, level=3.0)
    eventually(lambda: answers(changing_server, folder) == 3.0)


@pytest.mark.parametrize("content", ["{", "[]", '{"pinned": "two"}', '{"labels": {"a": null}}'])
def test_a_broken_policy_leaves_the_one_before_in_force(
    changing_server: RunningServer, folder: Path, content: str
) -> None:
    push(folder, 1, level=1.0)
    push(folder, 2, level=2.0)
    write_policy(folder, {"pinned": 1})
    eventually(lambda: answers(changing_server, folder) == 1.0)
    write_policy(folder, content)
    eventually(lambda: any(f"{folder.name}/versions.json" in line for line in changing_server.log))
    assert answers(changing_server, folder) == 1.0


def test_a_model_that_is_new_is_served_and_one_that_is_gone_is_not(
    changing_server: RunningServer,
) -> None:
    folder = changing_server.models_dir / "short_lived"
    push(folder, 1, level=1.0)
    eventually(lambda: answers(changing_server, folder) == 1.0)
    folder.rename(changing_server.models_dir / ".gone")
    eventually(lambda: answers(changing_server, folder) is None)
    shutil.rmtree(changing_server.models_dir / ".gone")


def test_a_push_directory_that_is_away_for_a_moment_keeps_its_models(
    changing_server: RunningServer, folder: Path
) -> None:
    push(folder, 1, level=1.0)
    eventually(lambda: answers(changing_server, folder) == 1.0)
    away = changing_server.models_dir.with_name("away")
    changing_server.models_dir.rename(away)
    eventually(lambda: any("cannot be read" in line for line in changing_server.log))
    assert answers(changing_server, folder) == 1.0
    away.rename(changing_server.models_dir)
    push(folder, 2, level=2.0)
    eventually(lambda: answers(changing_server, folder) == 2.0)


def push_with_digests(folder: Path, version: int) -> Path:
    directory = push(folder, version, level=float(version))
    write_digests(directory)
    return directory


def write_digests(directory: Path) -> None:
    manifest = directory / ".aepipe.json"
    manifest.write_text(json.dumps({"files": file_digests(directory)}))
    manifest.rename(directory / "aepipe.json")


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def replace(path: Path, make: Callable[[Path], object]) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    make(path)


SHARD = "variables/variables.data-00000-of-00001"
WARM_UP = "assets.extra/tf_serving_warmup_requests"

CHANGES: dict[str, tuple[Callable[[Path], object], float | None, str]] = {
    "flipped": (lambda m: flip_a_byte(m / "2" / SHARD), 1.0, f"{SHARD} differs"),
    "swapped": (
        lambda m: shutil.copy(m / "1" / SHARD, m / "2" / SHARD),
        1.0,
        f"{SHARD} differs",
    ),
    "warm_up": (lambda m: flip_a_byte(m / "2" / WARM_UP), 1.0, f"{WARM_UP} differs"),
    "no_variables": (
        lambda m: shutil.rmtree(m / "2" / "variables"),
        1.0,
        "variables.index is missing",
    ),
    "a_link_to_nothing": (
        lambda m: replace(m / "2" / "saved_model.pb", lambda path: path.symlink_to("nowhere")),
        1.0,
        "saved_model.pb is missing",
    ),
    "a_pipe": (
        lambda m: replace(m / "2" / SHARD, os.mkfifo),
        1.0,
        "is not a file",
    ),
    "newer_folders_that_are_none": (
        lambda m: [
            (m / name).mkdir() for name in ("3", "007", "99999999999999999999", "4-copy", ".5")
        ],
        2.0,
        "saved_model.pb is missing",
    ),
    "a_file_for_a_version": (lambda m: replace(m / "2", lambda path: path.touch()), 1.0, ""),
    "a_malformed_policy": (lambda m: (m / "versions.json").write_text("["), 2.0, ""),
    "a_folder_as_policy": (lambda m: (m / "versions.json").mkdir(), 2.0, ""),
    "a_policy_that_leads_nowhere": (
        lambda m: (m / "versions.json").symlink_to("nowhere"),
        2.0,
        "",
    ),
    "touched": (lambda m: os.utime(m / "2" / SHARD), 2.0, ""),
    "a_file_for_the_model": (lambda m: replace(m, lambda path: path.touch()), None, ""),
}


def test_what_happens_to_a_model_ends_neither_the_server_nor_the_others(
    changing_server: RunningServer,
) -> None:
    """And server and commands give one answer to which version is served."""
    folders = {name: changing_server.models_dir / name for name in CHANGES}
    for folder in folders.values():
        push_with_digests(folder, 1)
        push_with_digests(folder, 2)
    eventually(lambda: all(answers(changing_server, f) == 2.0 for f in folders.values()), 90)

    for name, folder in folders.items():
        CHANGES[name][0](folder)

    for name, folder in folders.items():
        _, level, fault = CHANGES[name]
        eventually(lambda f=folder, to=level: answers(changing_server, f) == to)
        if fault:
            reported = changing_server.get(f"/v1/models/{name}").json()["model_version_status"]
            faults = {
                status["version"]: status["status"]["error_message"]
                for status in reported
                if status["state"] == "END"
            }
            (version,) = read_versions(folder).damaged
            assert faults[str(version)] == read_versions(folder).damaged[version]
            assert fault in faults[str(version)]
        if "policy" not in name and level is not None:
            assert read_versions(folder).served == level
    assert changing_server.process.poll() is None
    for folder in folders.values():
        replace(folder, lambda path: None)


def test_a_mended_version_is_taken_up_again(changing_server: RunningServer, folder: Path) -> None:
    push_with_digests(folder, 1)
    version = push_with_digests(folder, 2)
    eventually(lambda: answers(changing_server, folder) == 2.0)
    flip_a_byte(version / SHARD)
    eventually(lambda: answers(changing_server, folder) == 1.0)
    flip_a_byte(version / SHARD)
    eventually(lambda: answers(changing_server, folder) == 2.0)
    assert changing_server.states(folder.name)[2] == "AVAILABLE"


def test_a_version_without_digests_is_loaded_with_a_notice(
    changing_server: RunningServer, folder: Path
) -> None:
    push(folder, 7, level=7.0)
    eventually(lambda: answers(changing_server, folder) == 7.0)
    line = f"{folder.name} version 7 has no digests"
    eventually(lambda: any(line in logged for logged in changing_server.log))
    push_with_digests(folder, 8)
    eventually(lambda: answers(changing_server, folder) == 8.0)
    assert not any(
        f"{folder.name} version 8 has no digests" in line for line in changing_server.log
    )
