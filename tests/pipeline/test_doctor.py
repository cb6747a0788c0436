"""`aepipe doctor`: a line for each thing that is looked at, and the way out of broken metadata."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import doctor
from pipeline.home import Home
from pipeline.metadata_file import find_fault
from pipeline.run.lineage import open_store
from tests.conftest import Aepipe, Result
from tests.pipeline.broken_metadata import (
    FAULTS,
    RUN,
    held_by_another_process,
    home_of_a_run,
    leave_artifact,
    put_executions,
)


@pytest.fixture(autouse=True)
def no_data_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AEPIPE_DATA", raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = home_of_a_run(tmp_path / "a home")
    version = home.push_root / "ecg_anomaly_detector" / "7"
    (version / "variables").mkdir(parents=True)
    for name in (
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    ):
        (version / name).write_bytes(b"0")
    return home


def problems(result: Result) -> dict[tuple[str, str], str]:
    report = json.loads(result.out)
    found = {(f["check"], f["subject"]): f["text"] for f in report["checks"] if not f["ok"]}
    assert report["ok"] is (not found)
    assert result.exit_code == (2 if found else 0)
    return found


def files_below(*folders: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder.parent)): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


def test_a_sound_home_is_reported_a_line_a_thing(aepipe: Aepipe, home: Home) -> None:
    result = aepipe("doctor", "anomaly", "--home", home.root)
    assert (result.exit_code, result.err) == (0, "")
    lines = [line.split(maxsplit=2) for line in result.out.splitlines()]
    assert [(state, check) for state, check, _ in lines] == [
        ("ok", "versions"),
        ("ok", "disk"),
        ("ok", "disk"),
        ("ok", "data"),
        ("ok", "home"),
        ("ok", "metadata"),
        ("ok", "models"),
    ]
    assert "Python 3.11" in result.out
    assert "TensorFlow 2.21" in result.out
    assert "7 is served" in result.out


def test_a_home_that_is_not_there_yet_is_not_made(aepipe: Aepipe, tmp_path: Path) -> None:
    result = aepipe("doctor", "--home", tmp_path / "none", "--json")
    assert problems(result) == {}
    assert not (tmp_path / "none").exists()


def test_it_is_quick_as_nothing_heavy_is_imported(home: Home) -> None:
    probe = (
        "import sys\nfrom pipeline.cli import main\n"
        "try:\n    main(['doctor', '--home', sys.argv[1]])\nexcept SystemExit:\n    pass\n"
        "heavy = {'tensorflow', 'tfx', 'apache_beam', 'keras'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, str(home.root)], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_metadata_is_set_aside_and_nothing_is_lost(
    fault: str, aepipe: Aepipe, home: Home
) -> None:
    damage, text = FAULTS[fault]
    damage(home.metadata_path("anomaly"))
    before = files_below(home.root / "metadata", home.root / "artifacts")
    others = files_below(home.push_root, home.runs)

    found = problems(aepipe("doctor", "--home", home.root, "--json"))
    assert list(found) == [("metadata", "anomaly")]
    assert text in found["metadata", "anomaly"]

    repaired = aepipe("doctor", "--repair", "--home", home.root, "--json")
    assert problems(repaired) == {}
    moved = json.loads(repaired.out)["moved"]
    assert moved[-1]["source"] == str(home.artifacts("anomaly"))
    assert all(os.path.lexists(one["destination"]) for one in moved)
    (aside,) = home.set_aside.iterdir()
    assert files_below(aside / "metadata", aside / "artifacts") == {
        name.removeprefix(f"{aside.name}/"): content for name, content in before.items()
    }
    assert files_below(home.push_root, home.runs) == others
    assert not os.path.lexists(home.metadata_path("anomaly"))
    assert find_fault(home, "anomaly", writing=True) is None

    again = aepipe("doctor", "--repair", "--home", home.root)
    assert again.exit_code == 0
    assert again.out.startswith("nothing to set aside\n")


def test_two_repairs_in_one_second_do_not_mix(aepipe: Aepipe, home: Home) -> None:
    for _ in range(2):
        home.metadata_path("anomaly").unlink(missing_ok=True)
        (home.artifacts("anomaly") / "Trainer/model/9").mkdir(parents=True)
        assert aepipe("doctor", "--repair", "--home", home.root).exit_code == 0
    assert len(list(home.set_aside.iterdir())) == 2


def test_a_sound_pipeline_stays_when_another_is_repaired(aepipe: Aepipe, home: Home) -> None:
    put_executions(home.metadata_path("basic"), 1)
    home.metadata_path("anomaly").write_bytes(b"")
    assert aepipe("doctor", "--repair", "--home", home.root).exit_code == 0
    assert len(open_store(home, "basic").get_executions()) == 1
    assert not home.metadata_path("anomaly").exists()


def test_a_repair_is_refused_while_the_pipeline_runs(
    aepipe: Aepipe, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.home._SECONDS_TO_END", 0.1)
    home.metadata_path("anomaly").write_bytes(b"")
    with home.lock("anomaly"):
        result = aepipe("doctor", "--repair", "--home", home.root)
    assert result.exit_code == 2
    assert "pipeline anomaly is already running" in result.err
    assert home.metadata_path("anomaly").exists()
    assert not home.set_aside.exists()


def test_a_database_that_is_held_is_not_moved(
    aepipe: Aepipe, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.metadata_file.LOCK_WAIT_SECONDS", 0.5)
    monkeypatch.setattr(doctor, "_LOCK_WAIT_SECONDS", 0.5)
    with held_by_another_process(home.metadata_path("anomaly")):
        reported = aepipe("doctor", "--home", home.root, "--json")
        repaired = aepipe("doctor", "--repair", "--home", home.root)
    assert "another process holds" in problems(reported)["metadata", "anomaly"]
    assert repaired.exit_code == 2
    assert len(repaired.err.splitlines()) == 1
    assert not home.set_aside.exists()


def test_after_a_repair_an_old_run_keeps_its_record(aepipe: Aepipe, home: Home) -> None:
    home.metadata_path("anomaly").write_bytes(b"")
    report = home.runs / RUN / "report.html"
    report.write_text("as it was")
    aepipe("doctor", "--repair", "--home", home.root)
    put_executions(home.metadata_path("anomaly"), 1)
    leave_artifact(home, 1)

    assert RUN in aepipe("runs", "--home", home.root).out
    shown = aepipe("show", RUN, "--home", home.root)
    assert json.loads(shown.out)["stages"] == []
    again = aepipe("report", RUN, "--home", home.root)
    assert again.exit_code == 2
    (line,) = again.err.splitlines()
    assert str(report) in line
    assert report.read_text() == "as it was"


def test_what_is_missing_is_a_problem(
    aepipe: Aepipe, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEPIPE_DATA", str(tmp_path / "no data"))
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 2**62)
    (home.push_root / "ecg_anomaly_detector" / "versions.json").write_text("{")
    found = problems(aepipe("doctor", "anomaly", "--home", home.root, "--json"))
    assert sorted(found) == [
        ("data", "anomaly"),
        ("disk", "output folder"),
        ("disk", "temporary files"),
        ("models", "ecg_anomaly_detector"),
    ]
    assert str(tmp_path / "no data") in found["data", "anomaly"]
    assert "versions.json" in found["models", "ecg_anomaly_detector"]
    assert "make room" in found["disk", "output folder"]


def test_a_requirement_that_is_not_met_is_named(
    aepipe: Aepipe, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "requires", lambda _: ["click>=99", "none-such; extra=='x'"])
    found = problems(aepipe("doctor", "anomaly", "--home", home.root, "--json"))
    assert "click>=99" in found["versions", "click"]


def test_a_file_in_the_place_of_the_home_is_a_problem(aepipe: Aepipe, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = problems(aepipe("doctor", "--home", tmp_path / "file", "--json"))
    assert ("home", str(tmp_path / "file")) in found


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any folder")
def test_a_read_only_home_is_a_problem_and_is_not_repaired(aepipe: Aepipe, home: Home) -> None:
    home.metadata_path("anomaly").write_bytes(b"")
    home.root.chmod(0o500)
    found = problems(aepipe("doctor", "--home", home.root, "--json"))
    repaired = aepipe("doctor", "--repair", "--home", home.root)
    home.root.chmod(0o700)
    assert ("home", str(home.root)) in found
    assert repaired.exit_code == 2
    assert len(repaired.err.splitlines()) == 1


def test_killed_runs_are_counted(aepipe: Aepipe, home: Home) -> None:
    (home.runs / "anomaly-20260102T000000-abcd").mkdir()
    result = aepipe("doctor", "--home", home.root)
    assert "writable, 1 run, " in result.out
    assert "1 interrupted or killed" in result.out


def test_a_repair_without_a_home_is_one_line(aepipe: Aepipe, tmp_path: Path) -> None:
    result = aepipe("doctor", "--repair", "--home", tmp_path / "none")
    assert result.exit_code == 2
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_free_space_is_of_the_nearest_folder(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    (first, _) = doctor.check_disk(tmp_path / "a" / "b")
    assert first.ok is (free >= doctor.LEAST_FREE_BYTES)
    assert str(tmp_path / "a" / "b") in first.text
