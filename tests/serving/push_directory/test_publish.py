"""The push directory on a real file system: versions, kills, pruning and bad folders."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline_config import UserInputError
from serving.push_directory.layout import list_versions, next_version
from serving.push_directory.publish import publish, pushing


def write_model(directory: Path) -> None:
    (directory / "variables").mkdir()
    (directory / "variables" / "data").write_text("weights")
    (directory / "saved_model.pb").write_text("graph")


def push(folder: Path) -> int:
    with pushing(folder):
        version = next_version(folder)
        publish(folder, write_model, version)
    return version


def test_versions_are_seconds_and_grow_within_one(tmp_path: Path) -> None:
    before = int(time.time())
    versions = [push(tmp_path / "model") for _ in range(3)]

    assert versions[0] >= before
    assert versions == sorted(set(versions)) == list_versions(tmp_path / "model")
    assert (tmp_path / "model" / str(versions[0]) / "variables" / "data").read_text() == "weights"


def test_a_version_from_the_future_is_exceeded(tmp_path: Path) -> None:
    future = 32_503_680_000
    (tmp_path / "model" / str(future)).mkdir(parents=True)

    assert push(tmp_path / "model") == future + 1


def test_no_version_is_left_above_the_largest(tmp_path: Path) -> None:
    (tmp_path / "model" / str(2**63 - 1)).mkdir(parents=True)

    with pytest.raises(UserInputError, match="no version above"):
        push(tmp_path / "model")


def test_a_killed_push_leaves_no_version_and_the_next_one_clears_up(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from serving.push_directory.layout import next_version\n"
        "from serving.push_directory.publish import publish, pushing\n"
        "folder = Path(sys.argv[1])\n"
        "def fill(directory):\n"
        "    (directory / 'saved_model.pb').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "with pushing(folder):\n"
        "    publish(folder, fill, next_version(folder))\n"
    )
    root = Path(__file__).parents[3]
    killed = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert killed.returncode == -signal.SIGKILL
    assert list_versions(folder) == []
    assert list(folder.glob(".pushing-*"))

    version = push(folder)

    assert list_versions(folder) == [version]
    assert not list(folder.glob(".pushing-*"))


def test_a_failed_check_leaves_nothing(tmp_path: Path) -> None:
    def fill(directory: Path) -> None:
        write_model(directory)
        raise RuntimeError("the copy does not load")

    with pytest.raises(RuntimeError, match="does not load"), pushing(tmp_path):
        publish(tmp_path, fill, 7)

    assert [path.name for path in tmp_path.iterdir()] == [".push.lock"]


@pytest.mark.parametrize("in_the_way", ["", "model"], ids=["push root", "model folder"])
def test_a_file_in_the_way_is_named(tmp_path: Path, in_the_way: str) -> None:
    root = tmp_path / "serving"
    if in_the_way:
        root.mkdir()
    (root / in_the_way).write_text("a file")

    with pytest.raises(UserInputError, match=f"^{root}/model: cannot be written to: [^\n]*$"):
        push(root / "model")


@pytest.mark.parametrize("vanishes", ["serving", "serving/model", "serving/model/.pushing-7"])
def test_a_folder_that_vanishes_in_the_middle_of_a_push_is_named(
    tmp_path: Path, vanishes: str
) -> None:
    folder = tmp_path / "serving" / "model"

    def fill(directory: Path) -> None:
        shutil.rmtree(tmp_path / vanishes)
        write_model(directory)

    with (
        pytest.raises(UserInputError, match=f"^{folder}/.pushing-7: the folder has vanished"),
        pushing(folder),
    ):
        publish(folder, fill, 7)

    assert not (folder / "7").exists()


def fail(error: OSError) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left"), "MODEL: cannot be written to: No space left"),
        (OSError(errno.EROFS, "Read-only", "MODEL/x"), "MODEL: cannot be written to: Read-only"),
        (
            PermissionError(errno.EACCES, "Denied", "/elsewhere/saved_model.pb"),
            "/elsewhere/saved_mo",
        ),
        (FileNotFoundError(errno.ENOENT, "No such", "/elsewhere/x"), "/elsewhere/x: No such"),
    ],
)
def test_a_fault_names_the_folder_or_the_file_elsewhere(
    tmp_path: Path, error: OSError, line: str
) -> None:
    folder = tmp_path / "serving" / "model"
    if error.filename:
        error.filename = error.filename.replace("MODEL", str(folder))

    with pytest.raises(UserInputError) as raised, pushing(folder):
        publish(folder, lambda _: fail(error), 7)

    assert str(raised.value).startswith(line.replace("MODEL", str(folder)))
    assert len(str(raised.value).splitlines()) == 1


def test_a_bug_in_the_middle_of_a_push_stays_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), pushing(tmp_path / "model"):
        (tmp_path / "model" / "no such file").read_text()


def test_what_is_there_already_is_returned_and_not_published(tmp_path: Path) -> None:
    push(tmp_path)
    (version,) = list_versions(tmp_path)
    there = tmp_path / str(version)

    with pushing(tmp_path):
        assert publish(tmp_path, lambda _: there, next_version(tmp_path)) == there

    assert list_versions(tmp_path) == [version]
    assert not list(tmp_path.glob(".pushing-*"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any folder")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(UserInputError, match="Permission denied"):
        push(tmp_path / "model")


def test_names_that_are_no_versions_are_not_counted(tmp_path: Path) -> None:
    for name in ("12", "v13", ".pushing-14", "15.old", "aepipe", "016", "9" * 19, "-17"):
        (tmp_path / name).mkdir()
    (tmp_path / "18").write_text("a file")

    assert list_versions(tmp_path) == [12]
