"""What is a whole version, and what its digests notice; on real files."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_config import UserInputError
from serving.push_directory.layout import find_model, pushed_models
from serving.push_directory.manifest import damage_of, file_digests, read_digests
from serving.push_directory.model_versions import (
    pushed_already,
    pushed_by,
    read_versions,
    served_version,
)
from tests.serving.push_directory.whole_version import (
    SHARD,
    write_pushed_version,
    write_whole_version,
)


def rewrite(path: Path, content: bytes) -> None:
    """Writes a file so that its size and its time of change stay."""
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def edit_manifest(version: Path, **values: Any) -> None:
    path = version / "aepipe.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


CHANGES: dict[str, tuple[Callable[[Path], object], str | None]] = {
    "nothing": (lambda v: None, None),
    "touched": (lambda v: os.utime(v / "saved_model.pb"), None),
    "a hidden file": (lambda v: (v / ".DS_Store").write_text("x"), None),
    "no graph": (lambda v: (v / "saved_model.pb").unlink(), "saved_model.pb is missing"),
    "a folder as graph": (
        lambda v: ((v / "saved_model.pb").unlink(), (v / "saved_model.pb").mkdir()),
        "saved_model.pb is missing",
    ),
    "no variables": (
        lambda v: shutil.rmtree(v / "variables"),
        "variables/variables.index is missing",
    ),
    "no shard": (lambda v: (v / SHARD).unlink(), f"{SHARD} is missing"),
    "one shard of two": (
        lambda v: (v / SHARD).rename(v / "variables/variables.data-00001-of-00002"),
        "variables/variables.data-00000-of-00002 is missing",
    ),
    "a dangling link": (
        lambda v: ((v / SHARD).unlink(), (v / SHARD).symlink_to("nowhere")),
        f"{SHARD} is missing",
    ),
    "a pipe": (
        lambda v: ((v / SHARD).unlink(), os.mkfifo(v / SHARD)),
        f"{SHARD} is not a file",
    ),
    "a flipped byte": (
        lambda v: rewrite(v / SHARD, b"weightz"),
        f"{SHARD} differs from what was pushed",
    ),
    "cut": (lambda v: (v / SHARD).write_text("wei"), f"{SHARD} differs from what was pushed"),
    "one file more": (
        lambda v: (
            (v / "assets.extra").mkdir(),
            (v / "assets.extra" / "tf_serving_warmup_requests").write_text("x"),
        ),
        "assets.extra/tf_serving_warmup_requests was not pushed with it",
    ),
    "no manifest": (lambda v: (v / "aepipe.json").unlink(), None),
    "no digests": (lambda v: edit_manifest(v, files=None), None),
    "half a manifest": (
        lambda v: (v / "aepipe.json").write_text('{"files": {'),
        "aepipe.json is damaged: it is not JSON",
    ),
    "a list as manifest": (
        lambda v: (v / "aepipe.json").write_text("[]"),
        "aepipe.json is damaged: it is not an object",
    ),
    "digests of something else": (
        lambda v: edit_manifest(v, files={"../other/saved_model.pb": "0" * 64}),
        "aepipe.json is damaged: 'files' is not paths with digests",
    ),
    "digests that are none": (
        lambda v: edit_manifest(v, files={"saved_model.pb": "abc"}),
        "aepipe.json is damaged: 'files' is not paths with digests",
    ),
    "gone": (shutil.rmtree, "saved_model.pb is missing"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_version_is_noticed(tmp_path: Path, change: str) -> None:
    version = write_pushed_version(tmp_path / "12")
    assert damage_of(version) is None
    act, fault = CHANGES[change]

    act(version)

    assert damage_of(version) == fault


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_of_any_file_is_noticed_and_named(tmp_path: Path, data: Any) -> None:
    folder = tmp_path / "12"
    shutil.rmtree(folder, ignore_errors=True)
    version = write_pushed_version(folder)
    assert damage_of(version) is None
    name = data.draw(st.sampled_from(sorted(read_digests(version) or {})))
    before = (version / name).read_bytes()
    at = data.draw(st.integers(0, len(before) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != before[at]))

    rewrite(version / name, before[:at] + bytes([byte]) + before[at + 1 :])

    assert damage_of(version) == f"{name} differs from what was pushed"
    rewrite(version / name, before)
    assert damage_of(version) is None


def test_digests_are_those_of_every_file_but_the_manifest(tmp_path: Path) -> None:
    version = write_pushed_version(tmp_path / "12")

    assert set(file_digests(version)) == {"saved_model.pb", "variables/variables.index", SHARD}
    assert read_digests(version) == file_digests(version)


@pytest.mark.parametrize(
    ("damaged", "policy", "served", "passed_over"),
    [
        ([], {}, 13, []),
        ([13], {}, 12, [13]),
        ([13, 12], {}, 11, [13, 12]),
        ([11], {}, 13, []),
        ([11], {"pinned": 11}, 13, [11]),
        ([13], {"withheld": [12]}, 11, [13]),
        ([11, 13], {"withheld": [12]}, 12, [13, 11]),
    ],
)
def test_the_served_version_is_the_first_preferred_without_a_fault(
    tmp_path: Path, damaged: list[int], policy: Any, served: int, passed_over: list[int]
) -> None:
    for version in (11, 12, 13):
        write_pushed_version(tmp_path / str(version))
    for name in ("007", "99999999999999999999", "-1", ".14", "15 (copy)"):
        write_whole_version(tmp_path / name)
    for version in damaged:
        (tmp_path / str(version) / SHARD).write_text("")
    (tmp_path / "versions.json").write_text(json.dumps(policy))

    versions = read_versions(tmp_path)

    assert versions.numbers == [11, 12, 13]
    assert (versions.served, versions.passed_over) == (served, passed_over)


def test_without_a_version_that_can_be_served_the_newest_ones_fault_is_told(tmp_path: Path) -> None:
    (tmp_path / "12").mkdir()

    with pytest.raises(UserInputError, match=r"no version can be served; of 12, saved_model\.pb"):
        served_version(tmp_path)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.symlink_to("nowhere"), "it is a link to nothing"),
        (lambda path: path.write_bytes(b"\xff\xfe{"), "it is not JSON"),
        (lambda path: path.write_text("[" * 100_000), "it is not JSON"),
    ],
)
def test_a_version_file_that_cannot_be_read_is_one_line(
    tmp_path: Path, make: Callable[[Path], None], line: str
) -> None:
    write_pushed_version(tmp_path / "12")
    make(tmp_path / "versions.json")

    with pytest.raises(UserInputError, match=f"versions.json: .*{line}"):
        served_version(tmp_path)


def test_models_are_the_visible_folders_with_a_version(tmp_path: Path) -> None:
    for name in ("b", "a", ".hidden"):
        write_pushed_version(tmp_path / name / "12")
    (tmp_path / "empty").mkdir()
    (tmp_path / "c").symlink_to("nowhere")
    (tmp_path / "file").write_text("")

    assert [folder.name for folder in pushed_models(tmp_path)] == ["a", "b"]
    with pytest.raises(UserInputError, match="no model \\.hidden; there is a, b"):
        find_model(tmp_path, ".hidden")


def test_a_run_finds_what_it_pushed_unless_it_is_damaged(tmp_path: Path) -> None:
    version = write_pushed_version(tmp_path / "12", run_id="run-1")

    assert pushed_by(tmp_path, "run-1") == version
    assert pushed_by(tmp_path, "run-2") is None
    (version / SHARD).unlink()
    assert pushed_by(tmp_path, "run-1") is None


def test_the_newest_version_is_found_by_what_it_holds(tmp_path: Path) -> None:
    write_pushed_version(tmp_path / "model" / "11", run_id="run-1")
    other = write_pushed_version(tmp_path / "next" / "13", model_name="model", run_id="run-2")
    folder = tmp_path / "model"

    assert pushed_already(folder, other) == folder / "11"
    write_pushed_version(folder / "12", "other weights")
    assert pushed_already(folder, other) is None


def test_the_package_stands_on_the_standard_library_and_filelock(tmp_path: Path) -> None:
    script = (
        "import sys; before = set(sys.modules)\n"
        "import serving.push_directory.models_config, serving.push_directory.manifest\n"
        "heads = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "allowed = {*sys.stdlib_module_names, 'serving', 'pipeline_config', 'filelock'}\n"
        "assert heads <= allowed, heads - allowed\n"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", script], check=True, cwd=root)
