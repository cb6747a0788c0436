import os
from pathlib import Path

import pytest

from pipeline.home import Home, new_run_id
from pipeline_config import ANOMALY, UserInputError
from tests.faults import process_that_holds


def test_prepare_makes_the_folders_and_leaves_no_probe(tmp_path: Path) -> None:
    home = Home(tmp_path / "out")
    home.prepare(ANOMALY)
    assert (home.push_root / "ecg_anomaly_detector").is_dir()
    assert not [path for path in home.root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("kind", ["a file in the way", "a folder nobody can write"])
def test_an_output_folder_that_cannot_be_written_is_one_line(tmp_path: Path, kind: str) -> None:
    if kind == "a file in the way":
        (tmp_path / "file").write_text("")
        root = tmp_path / "file" / "out"
    elif os.geteuid() == 0:
        # Permissions do not stop root; the process file system does.
        root = Path("/proc/aepipe")
    else:
        root = tmp_path / "locked"
        root.mkdir(mode=0o500)
    with pytest.raises(UserInputError, match="cannot write to the output folder") as caught:
        Home(root).prepare(ANOMALY)
    assert str(root) in str(caught.value)
    assert "--home" in str(caught.value)


@pytest.mark.parametrize("name", ["run [1]", "a*b", "really?", "[x]/deep", "]", "back\\slash"])
def test_a_home_whose_path_matches_other_folders_is_refused_before_anything_is_made(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "run 1").mkdir()
    with pytest.raises(UserInputError, match="stands for other characters") as caught:
        Home(tmp_path / name).prepare(ANOMALY)
    assert str(tmp_path / name) in str(caught.value)
    assert "--home" in str(caught.value)
    assert [path.name for path in tmp_path.rglob("*")] == ["run 1"]


def test_one_run_of_a_pipeline_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.home._SECONDS_TO_END", 0.5)
    home = Home(tmp_path)
    home.prepare(ANOMALY)
    holder = (
        "import sys; from pathlib import Path; from pipeline.home import Home\n"
        "with Home(Path(sys.argv[1])).lock('anomaly'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with process_that_holds(holder, tmp_path):
        with (
            pytest.raises(UserInputError, match="anomaly is already running"),
            home.lock("anomaly"),
        ):
            pass
        with home.lock("basic"):
            pass
    with home.lock("anomaly"):
        pass


def test_run_ids_sort_by_time_and_differ() -> None:
    first, second = new_run_id("basic"), new_run_id("basic")
    assert first.startswith("basic-")
    assert first != second
