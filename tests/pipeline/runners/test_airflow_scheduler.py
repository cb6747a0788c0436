"""A real scheduler runs `anomaly` every minute on real data that arrives in spans.

Set AEPIPE_DATA to the folder of the tutorial's files. One scheduler serves all tests here, each of
which looks at one of its runs; they depend on each other in this order.
"""

import json
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto.metadata_store_pb2 import Execution

from tests.end_to_end.metadata import pushed_versions
from tests.pipeline.runners.airflow_trial import DAG, DagRun, Trial
from tests.pipeline.webhook_server import Webhook

DATA = os.environ.get("AEPIPE_DATA", "")
MODEL = "ecg_anomaly_detector"
ROWS = 1200

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA, reason="AEPIPE_DATA names no folder of real files"),
]

SETTINGS = (
    "'schedule.cron=* * * * *'",
    "schedule.retry_delay_seconds=1",
    "data.window=2",
    # Long enough to be killed in.
    "trainer.epochs=150",
    "evaluator.baseline_tolerance=1",
    # One task of a dozen less; the graph with it is held to the pipeline's elsewhere.
    "infra_validator.enabled=false",
)


def add_span(trial: Trial, number: int, first_value: str | None = None) -> None:
    """Cuts a span out of the real file, which is sorted by class; it appears by one rename."""
    lines = Path(DATA, "ecg", "ecg.csv").read_text().splitlines()
    random.Random(0).shuffle(lines)
    rows = lines[(number - 1) * ROWS : number * ROWS]
    if first_value is not None:
        rows[0] = ",".join([first_value, *rows[0].split(",")[1:]])
    partial = trial.root / "partial"
    partial.mkdir()
    (partial / "ecg.csv").write_text("\n".join(rows) + "\n")
    trial.data.mkdir(parents=True, exist_ok=True)
    partial.rename(trial.data / f"span-{number}")


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    with Webhook.serving() as server:
        yield server


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, webhook: Webhook) -> Iterator[Trial]:
    settings = " ".join([*SETTINGS, f"schedule.webhook_url={webhook.url}"])
    started = Trial(tmp_path_factory.mktemp("trial"), settings)
    add_span(started, 1)
    started.command("db", "migrate")
    started.command("dags", "reserialize")
    started.command("dags", "unpause", DAG)
    with started.scheduler():
        yield started


@pytest.fixture(scope="module")
def first_run(trial: Trial) -> DagRun:
    """Its Trainer is killed in mid-run."""
    (begun,) = trial.wait(lambda: list(trial.home.runs.glob("*/pipeline.pb")), "run of TFX")
    run_id = begun.parent.name
    running = [Execution.RUNNING]
    trial.wait(lambda: trial.executions(run_id, "Trainer") == running, "training")
    os.kill(trial.runs()[0].process_of("Trainer"), signal.SIGKILL)
    return worked(trial, 1)


@pytest.fixture(scope="module")
def second_run(trial: Trial, first_run: DagRun) -> DagRun:
    """Finds a second span."""
    add_span(trial, 2)
    return worked(trial, 2)


@pytest.fixture(scope="module")
def idle_run(trial: Trial, second_run: DagRun) -> DagRun:
    """Finds nothing new."""

    def look() -> DagRun | None:
        runs = trial.runs()
        ids = [run.run_id for run in runs]
        after = runs[ids.index(second_run.run_id) + 1 :]
        return after[0] if after and after[0].ended else None

    return trial.wait(look, "run after the second")


@pytest.fixture(scope="module")
def refused_run(trial: Trial, idle_run: DagRun) -> DagRun:
    """Finds a span with a value that the schema forbids."""
    add_span(trial, 3, first_value="1e9")
    return worked(trial, 3)


def worked(trial: Trial, count: int) -> DagRun:
    """Waits for so many runs that found something to do, and returns the last of them."""

    def look() -> DagRun | None:
        found = [run for run in trial.runs() if run.ended and run.state_of("finish") != "skipped"]
        return found[count - 1] if len(found) >= count else None

    return trial.wait(look, f"run {count} that found something")


def test_a_task_killed_in_mid_run_is_tried_again_and_the_run_pushes_once(
    trial: Trial, first_run: DagRun
) -> None:
    assert (first_run.state, first_run.run_type) == ("success", "scheduled")
    assert {first_run.state_of(task) for task in first_run.tasks} == {"success"}
    assert [task for task in first_run.tasks if first_run.tries_of(task) != 1] == ["Trainer"]
    assert first_run.tries_of("Trainer") == 2
    outcome = trial.outcomes()[0]
    assert outcome["status"] == "pushed"
    assert [span["number"] for span in outcome["data"]["spans"]] == [1]
    assert sum(outcome["data"]["examples"].values()) == ROWS
    assert Path(outcome["report"]).is_file()
    assert {"Trainer", "total"} <= set(outcome["seconds"])
    assert pushed_versions(trial.home.root, MODEL) == [int(Path(outcome["pushed"]).name)]
    assert trial.executions(outcome["run_id"], "Trainer") == [Execution.COMPLETE]
    # As of a run of `aepipe run`: one folder, and its log has all stages.
    (folder,) = trial.home.runs.iterdir()
    log = (folder / "log.txt").read_text()
    assert all(f"Component {stage} is finished" in log for stage in ("ExampleGen", "Trainer"))


def test_the_second_run_reads_the_new_window_and_pushes_a_higher_version(
    trial: Trial, second_run: DagRun
) -> None:
    assert second_run.state == "success"
    first, outcome = trial.outcomes()
    assert outcome["status"] == "pushed"
    assert [span["number"] for span in outcome["data"]["spans"]] == [1, 2]
    assert sum(outcome["data"]["examples"].values()) == 2 * ROWS
    versions = pushed_versions(trial.home.root, MODEL)
    assert versions == [int(Path(run["pushed"]).name) for run in (first, outcome)]
    assert versions[0] < versions[1]
    # TFX's own launcher for Airflow would have found no model to compare with.
    assert newest_evaluation(trial)["baseline"] is not None


def newest_evaluation(trial: Trial) -> dict[str, Any]:
    files = trial.home.artifacts("anomaly").glob("ThresholdEvaluator/evaluation/*/*.json")
    newest = max(files, key=lambda path: int(path.parent.name))
    content: dict[str, Any] = json.loads(newest.read_text())
    return content


def test_a_run_with_nothing_new_pushes_nothing_and_says_so(
    trial: Trial, second_run: DagRun, idle_run: DagRun
) -> None:
    assert idle_run.state == "success"
    assert idle_run.state_of("choose_data") == "success"
    others = {idle_run.state_of(task) for task in idle_run.tasks if task != "choose_data"}
    assert others == {"skipped"}
    log = trial.log(idle_run, "choose_data")
    assert f"no new data: nothing has changed since run {trial.outcomes()[1]['run_id']}" in log
    assert len(pushed_versions(trial.home.root, MODEL)) == 2
    assert len(trial.outcomes()) == 2


def test_a_bad_span_fails_the_run_with_its_reason_and_what_is_served_stays(
    trial: Trial, refused_run: DagRun, webhook: Webhook
) -> None:
    assert refused_run.state == "failed"
    assert refused_run.state_of("DataGate") == "failed"
    assert refused_run.state_of("Trainer") == "upstream_failed"
    assert refused_run.state_of("finish") == "failed"
    # A refusal is not tried again.
    assert (refused_run.tries_of("DataGate"), refused_run.tries_of("finish")) == (1, 1)
    *before, outcome = trial.outcomes()
    assert outcome["status"] == "data_refused"
    (reason,) = outcome["reasons"]
    assert "feature 'signal'" in reason
    assert "1e+09" in reason
    for task in ("DataGate", "finish"):
        assert reason in trial.log(refused_run, task)
    assert Path(outcome["report"]).is_file()
    versions = pushed_versions(trial.home.root, MODEL)
    assert versions == [int(Path(run["pushed"]).name) for run in before]
    # Of the runs before, none ended badly.
    ((_, body),) = webhook.received
    assert body == {"runs": [outcome]}
