"""`aepipe runs prune`: a home stops growing, and nothing goes that something depends on."""

import dataclasses
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from pipeline.home import Home
from pipeline.metadata_file import find_fault
from pipeline.prune import prune_after_run
from pipeline.run.history import past_runs
from pipeline.run.outcome import RunOutcome, Status
from pipeline.run.record import open_record
from pipeline_config import ANOMALY, ScheduleConfig
from tests.conftest import Aepipe, Result
from tests.pipeline.broken_metadata import FAULTS
from tests.pipeline.recorded_runs import MODEL, RecordedRuns


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "a home")


@pytest.fixture
def runs(home: Home) -> RecordedRuns:
    return RecordedRuns(home)


def prune(aepipe: Aepipe, home: Home, keep: int, *more: str) -> dict[str, object]:
    result = aepipe(
        "runs", "prune", "anomaly", "--keep", str(keep), "--home", home.root, "--json", *more
    )
    assert (result.exit_code, result.err) == (0, "")
    (pruned,) = json.loads(result.out)["pruned"]
    assert find_fault(home, "anomaly", writing=True) is None
    return dict(pruned)


def names(home: Home) -> list[str]:
    return [outcome.run_id for outcome in past_runs(home)]


def snapshot(home: Home) -> list[str]:
    return sorted(str(path) for path in home.root.rglob("*") if path.suffix != ".lock")


def test_old_runs_go_with_their_artifacts(aepipe: Aepipe, home: Home, runs: RecordedRuns) -> None:
    made = [runs.add("pushed") for _ in range(5)]
    pruned = prune(aepipe, home, 2)
    assert pruned["removed"] == [run_id for run_id, _ in reversed(made[:3])]
    # Three outputs of 1,000 bytes each, and a record.
    assert int(str(pruned["freed_bytes"])) > 3 * 3 * 1000
    assert names(home) == [made[4][0], made[3][0]]
    assert [runs.live(own) for _, own in made] == [[False] * 3] * 3 + [[True] * 3] * 2
    system = home.artifacts("anomaly") / "Trainer/.system/executor_execution"
    assert len(list(system.iterdir())) == 2
    again = prune(aepipe, home, 2)
    assert (again["removed"], again["freed_bytes"]) == ([], 0)


def test_what_a_later_run_took_from_the_cache_stays(
    aepipe: Aepipe, home: Home, runs: RecordedRuns
) -> None:
    first, own = runs.add("pushed")
    second, evaluated = runs.add("pushed", cached=own[:2], stages=["ThresholdEvaluator"])
    pruned = prune(aepipe, home, 1)
    assert pruned["removed"] == [first]
    assert runs.live(own) == [True, True, False]
    assert runs.live(evaluated) == [True]
    assert names(home) == [second]


def test_what_a_pushed_version_came_from_stays_until_the_version_goes(
    aepipe: Aepipe, home: Home, runs: RecordedRuns
) -> None:
    old, own = runs.add("pushed", version=7)
    for _ in range(3):
        runs.add("pushed")
    pruned = prune(aepipe, home, 1)
    assert pruned["kept"] == {old: f"{MODEL}/7 came from it"}
    assert runs.live(own) == [True] * 3
    shutil.rmtree(home.push_root / MODEL / "7")
    assert prune(aepipe, home, 1)["removed"] == [old]
    assert runs.live(own) == [False] * 3


def test_the_baseline_and_the_last_verdict_stay(
    aepipe: Aepipe, home: Home, runs: RecordedRuns
) -> None:
    runs.add("pushed")
    blessed, own = runs.add("pushed")
    runs.add("not_blessed")
    verdict, _ = runs.add("not_blessed")
    runs.add("failed", stages=[])
    newest, _ = runs.add("failed", stages=[])
    pruned = prune(aepipe, home, 1)
    assert pruned["kept"] == {
        verdict: "the next run takes finished stages from it",
        blessed: "the next model is compared with the one it made",
    }
    assert names(home) == [newest, verdict, blessed]
    assert runs.live(own) == [True] * 3


def test_a_run_that_refused_a_span_stays(aepipe: Aepipe, home: Home, runs: RecordedRuns) -> None:
    runs.add("data_refused", span=2, stages=["ExampleGen"])
    refused, _ = runs.add("data_refused", span=2, stages=["ExampleGen"])
    runs.add("data_refused", span=3, stages=["ExampleGen"])
    runs.add("pushed", span=3)
    runs.add("pushed", span=4)
    pruned = prune(aepipe, home, 1)
    assert pruned["kept"] == {refused: "it refused span 2"}


def test_killed_runs_go_with_what_they_left(aepipe: Aepipe, home: Home, runs: RecordedRuns) -> None:
    killed, left = runs.add(None)
    kept, own = runs.add("pushed")
    pruned = prune(aepipe, home, 5)
    assert (pruned["removed"], pruned["killed"]) == ([], [killed])
    assert not (home.runs / killed).exists()
    assert runs.live(left) == [False] * 3
    assert runs.live(own) == [True] * 3
    assert names(home) == [kept]


def test_interrupted_runs_do_not_count(aepipe: Aepipe, home: Home, runs: RecordedRuns) -> None:
    first, _ = runs.add("pushed")
    killed, left = runs.add("interrupted")
    second, _ = runs.add("pushed")
    newest, _ = runs.add("interrupted")
    pruned = prune(aepipe, home, 2)
    assert (pruned["removed"], pruned["killed"]) == ([], [killed])
    assert names(home) == [newest, second, first]
    assert runs.live(left) == [False] * 3


def test_a_run_that_pushed_and_has_no_record_stays(
    aepipe: Aepipe, home: Home, runs: RecordedRuns
) -> None:
    unrecorded, own = runs.add(None, version=7)
    runs.add("pushed")
    assert prune(aepipe, home, 1)["killed"] == []
    assert (home.runs / unrecorded).is_dir()
    assert all(Path(artifact.uri).is_dir() for artifact in own)


def test_a_schedulers_run_between_two_tasks_stays(
    aepipe: Aepipe, home: Home, runs: RecordedRuns
) -> None:
    begun, own = runs.add(None)
    with open_record(home, "anomaly", begun, by_steps=True) as record:
        pass
    runs.add("pushed")
    assert prune(aepipe, home, 1)["killed"] == []
    assert all(Path(artifact.uri).is_dir() for artifact in own)
    month_ago = time.time() - 30 * 86_400
    os.utime(record.directory / "run.json", (month_ago, month_ago))
    assert prune(aepipe, home, 1)["killed"] == [begun]


def test_folders_of_somebody_else_stay(aepipe: Aepipe, home: Home, runs: RecordedRuns) -> None:
    for _ in range(3):
        runs.add("pushed")
    others = [
        home.runs / "notes",
        home.runs / "basic-20260101T000000-abcd",
        home.runs / "anomaly-latest",
        home.artifacts("anomaly") / "Trainer" / "model" / "best",
    ]
    for folder in others:
        folder.mkdir()
    prune(aepipe, home, 1)
    assert all(folder.is_dir() for folder in others)


def test_a_dry_run_changes_nothing(aepipe: Aepipe, home: Home, runs: RecordedRuns) -> None:
    made = [runs.add("pushed") for _ in range(3)]
    before = snapshot(home)
    dry = prune(aepipe, home, 1, "--dry-run")
    assert snapshot(home) == before
    assert runs.live(made[0][1]) == [True] * 3
    assert prune(aepipe, home, 1) == dry


@pytest.mark.parametrize("removed_before", ["records", "artifacts", "neither"])
def test_a_prune_that_was_killed_is_finished_by_the_next(
    removed_before: str,
    aepipe: Aepipe,
    home: Home,
    runs: RecordedRuns,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = [runs.add("pushed") for _ in range(3)]

    def killed(folder: Path) -> None:
        if removed_before == "neither":
            raise KeyboardInterrupt
        if (folder.parent == home.runs) is (removed_before == "records"):
            shutil.rmtree(folder, ignore_errors=True)

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.prune._remove", killed)
        aepipe("runs", "prune", "--keep", "1", "--home", home.root)
    prune(aepipe, home, 1)
    assert names(home) == [made[2][0]]
    assert [runs.live(own) for _, own in made] == [[False] * 3, [False] * 3, [True] * 3]


def test_a_home_that_was_moved_is_pruned_where_it_is(
    aepipe: Aepipe, home: Home, runs: RecordedRuns, tmp_path: Path
) -> None:
    _, first = runs.add("pushed")
    runs.add("pushed", cached=first[:1], stages=["Trainer"])
    moved = Home(tmp_path / "moved")
    home.root.rename(moved.root)
    prune(aepipe, moved, 1)
    kept = [path.parent.name for path in (moved.root / "artifacts").rglob("content")]
    assert len(kept) == 2


def test_without_a_record_of_any_run_artifacts_stay(
    aepipe: Aepipe, home: Home, runs: RecordedRuns
) -> None:
    _, own = runs.add("pushed")
    shutil.rmtree(home.runs)
    prune(aepipe, home, 1)
    assert runs.live(own) == [True] * 3


def test_it_is_refused_while_the_pipeline_runs(
    aepipe: Aepipe, home: Home, runs: RecordedRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.home._SECONDS_TO_END", 0.1)
    for _ in range(2):
        runs.add("pushed")
    before = snapshot(home)
    with home.lock("anomaly"):
        result = aepipe("runs", "prune", "--keep", "1", "--home", home.root)
    assert result.exit_code == 2
    assert "already running" in result.err
    assert snapshot(home) == before


@pytest.mark.parametrize("fault", ["emptied", "random bytes", "deleted"])
def test_broken_metadata_is_not_pruned(
    fault: str, aepipe: Aepipe, home: Home, runs: RecordedRuns
) -> None:
    for _ in range(3):
        runs.add("pushed")
    FAULTS[fault][0](home.metadata_path("anomaly"))
    before = snapshot(home)
    result = aepipe("runs", "prune", "--keep", "1", "--home", home.root)
    assert result.exit_code == 2
    assert len(result.err.splitlines()) == 1
    assert snapshot(home) == before


def test_lines_for_people_say_how_much_was_freed(
    aepipe: Aepipe, home: Home, runs: RecordedRuns
) -> None:
    old, _ = runs.add("pushed", version=7)
    runs.add(None)
    for _ in range(2):
        runs.add("pushed")
    # `--home` may stand before the sub-command, as the group takes it too.
    dry = aepipe("runs", "--home", home.root, "prune", "--keep", "1", "--dry-run")
    done = aepipe("runs", "prune", "--keep", "1", "--home", home.root)
    assert dry.out.startswith("anomaly: would remove 2 runs (1 killed), 0.0 MB\n")
    assert f"anomaly: removed 2 runs (1 killed), 0.0 MB\n  kept {old}: " in done.out


def test_runs_alone_still_lists(aepipe: Aepipe, home: Home, runs: RecordedRuns) -> None:
    run_id, _ = runs.add("pushed")
    listed: Result = aepipe("runs", "--home", home.root, "--json")
    assert [run["run_id"] for run in listed.runs] == [run_id]
    assert run_id in aepipe("runs", "--home", home.root).out


@pytest.mark.parametrize("keep", ["0", "-1", "none"])
def test_at_least_one_run_stays(keep: str, aepipe: Aepipe, home: Home, runs: RecordedRuns) -> None:
    runs.add("pushed")
    assert aepipe("runs", "prune", "--keep", keep, "--home", home.root).exit_code == 2
    assert len(names(home)) == 1


def test_a_home_without_a_run_has_nothing_to_prune(aepipe: Aepipe, tmp_path: Path) -> None:
    result = aepipe("runs", "prune", "--keep", "1", "--home", tmp_path / "none")
    assert (result.exit_code, result.out) == (0, "nothing to remove\n")
    assert not (tmp_path / "none").exists()


def after_run(home: Home, status: Status, keep: int) -> str | None:
    config = dataclasses.replace(ANOMALY, schedule=ScheduleConfig(keep_runs=keep))
    with home.lock("anomaly"):
        return prune_after_run(RunOutcome("anomaly", "anomaly-1", status), config, home)


@pytest.mark.parametrize(
    ("status", "keep", "stay"),
    [("pushed", 1, 1), ("not_blessed", 2, 2), ("pushed", 0, 3), ("failed", 1, 3)],
)
def test_the_setting_prunes_after_a_run_that_ended_well(
    status: Status, keep: int, stay: int, home: Home, runs: RecordedRuns
) -> None:
    for _ in range(3):
        runs.add("pushed")
    assert after_run(home, status, keep) is None
    assert len(names(home)) == stay


def test_a_run_ends_well_if_old_ones_cannot_be_removed(home: Home, runs: RecordedRuns) -> None:
    for _ in range(3):
        runs.add("pushed")
    home.metadata_path("anomaly").unlink()
    assert str(after_run(home, "pushed", 1)).startswith("old runs stay: ")
    assert len(names(home)) == 3
