"""A run's record is right whatever ends the run."""

import json
import signal
from pathlib import Path

import pytest

from pipeline.home import Home
from pipeline.run.end import close_interrupted, end_run
from pipeline.run.history import close_killed, past_runs
from pipeline.run.outcome import read_outcome
from pipeline.run.record import open_record, resume_record
from pipeline.supervisor import Interruption
from pipeline_config import ANOMALY
from serving.push_directory.manifest import file_digests
from tests.faults import fill, process_that_holds, small_disk

RUN = "anomaly-20260102T030405-abcd"

KILLED = """
import os, sys
from pathlib import Path
from pipeline.home import Home
from pipeline.run.record import open_record
with open_record(Home(Path(sys.argv[1])), "anomaly", sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def push(home: Home, run_id: str, version: int = 7) -> Path:
    directory = home.push_root / "ecg_anomaly_detector" / str(version)
    (directory / "variables").mkdir(parents=True)
    for file in (
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    ):
        (directory / file).write_bytes(b"x")
    manifest = {
        "run_id": run_id,
        "metrics": {"accuracy": 0.9},
        "threshold": 0.25,
        "files": file_digests(directory),
    }
    (directory / "aepipe.json").write_text(json.dumps(manifest))
    return directory


@pytest.mark.parametrize("pushed", [False, True])
def test_a_killed_run_is_listed(pushed: bool, tmp_path: Path) -> None:
    home = Home(tmp_path)
    with process_that_holds(KILLED, tmp_path, RUN):
        version = push(home, RUN) if pushed else None
        assert past_runs(home) == [], "it still runs"
    (outcome,) = past_runs(home)
    assert outcome.run_id == RUN
    if version is None:
        assert outcome.status == "interrupted"
        assert "kill" in outcome.reasons[0]
    else:
        assert (outcome.status, outcome.pushed) == ("pushed", str(version))
        assert (outcome.metrics, outcome.threshold) == ({"accuracy": 0.9}, 0.25)
        assert outcome.notices
    close_killed(home)
    assert read_outcome(home.runs / RUN) == outcome
    assert past_runs(home) == [outcome]


def test_a_run_that_ended_is_what_it_came_to(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with open_record(home, "anomaly", RUN) as record:
        assert past_runs(home) == []
        record.update(status="pushed")
        record.close()
    assert [outcome.status for outcome in past_runs(home)] == ["pushed"]
    assert [path.name for path in record.directory.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("number", "status", "reason"),
    [
        (signal.SIGTERM, "interrupted", "interrupted by SIGTERM in Trainer; see {log}"),
        (signal.SIGKILL, "failed", "memory runs out in Trainer"),
        (signal.SIGSEGV, "failed", "crashed with SIGSEGV in Trainer"),
    ],
)
def test_an_interruption_closes_the_record(
    number: signal.Signals, status: str, reason: str, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    with open_record(home, "anomaly", RUN) as record:
        pass
    messages = [{"run": RUN}, {"stage": "Trainer"}]
    (outcome,), was_interrupted = close_interrupted(home, Interruption(number, messages))
    assert was_interrupted
    assert outcome.status == status
    assert reason.format(log=record.log) in outcome.reasons[0]
    assert read_outcome(record.directory) == outcome


def test_an_interruption_after_the_push_is_a_push(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with open_record(home, "anomaly", RUN):
        version = push(home, RUN)
    interruption = Interruption(signal.SIGINT, [{"run": RUN}])
    (outcome,), _ = close_interrupted(home, interruption)
    assert (outcome.status, outcome.pushed) == ("pushed", str(version))


def test_a_record_is_closed_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "400k") as disk:
        home = Home(disk)
        with open_record(home, "anomaly", RUN) as record:
            fill(disk)
            record.change(status="pushed", notices=["x" * 10000])
            record.close()
        assert past_runs(home) == [record.outcome]


def test_a_run_by_steps_keeps_its_state_in_its_folder(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with open_record(home, "anomaly", RUN, by_steps=True) as record:
        record.update(seconds={"SchemaGen": 0.1})
    with resume_record(home, RUN) as record:
        record.fail("ExampleGen", "failed", "no such folder")
    with resume_record(home, RUN) as record:
        record.reopen("Trainer")
        record.fail("Trainer", "failed", "killed")
    assert past_runs(home) == [], "its next step may follow"
    with resume_record(home, RUN) as record:
        assert record.outcome.seconds == {"SchemaGen": 0.1}
        assert list(record.failures) == ["ExampleGen", "Trainer"]
        record.close()
    (outcome,) = past_runs(home)
    assert (outcome.status, outcome.reasons) == ("failed", ["no such folder"])


def test_a_step_that_is_tried_again_has_not_failed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with open_record(home, "anomaly", RUN, by_steps=True) as record:
        record.fail("Trainer", "failed", "no memory")
    with resume_record(home, RUN) as record:
        record.reopen("Trainer")
    with resume_record(home, RUN) as record:
        assert record.failures == {}
        end_run(record, ANOMALY, total_seconds=1.0)
    (outcome,) = past_runs(home)
    assert outcome.status == "failed"
    assert outcome.reasons == [f"begin ended without a reason: killed? See {record.log}"]
