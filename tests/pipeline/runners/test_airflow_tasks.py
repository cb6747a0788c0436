"""What the tasks of a DAG run share: the run's name at TFX, and the lock."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.home import Home
from tests.faults import process_that_holds

NOON = datetime.datetime(2024, 5, 31, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def dag_run(run_id: str, logical: datetime.datetime, end: datetime.datetime) -> Any:
    from airflow.models.dagrun import DagRun

    return DagRun("aepipe_anomaly", run_id, execution_date=logical, data_interval=(logical, end))


def name(run: Any, inputs: str = "") -> str:
    from pipeline.runners.airflow.tasks import name_of_run

    return name_of_run("anomaly", run, inputs)


def test_a_run_is_named_by_when_it_was_due() -> None:
    scheduled = dag_run("scheduled__a", NOON, NOON + DAY)
    by_hand = dag_run("manual__b", NOON, NOON - DAY)
    assert name(scheduled).startswith("anomaly-20240601T120000-")
    assert name(by_hand).startswith("anomaly-20240531T120000-")


def test_all_tasks_and_tries_of_a_dag_run_have_one_name_and_other_inputs_another() -> None:
    def named(run_id: str, inputs: str) -> str:
        return name(dag_run(run_id, NOON, NOON), inputs)

    assert named("manual__a", "0123") == named("manual__a", "0123")
    names = {named("manual__a", "0123"), named("manual__b", "0123"), named("manual__a", "4567")}
    assert len(names) == 3


def test_a_task_that_finds_the_pipeline_running_may_be_tried_again(tmp_path: Path) -> None:
    from airflow.exceptions import AirflowException, AirflowFailException

    from pipeline.runners.airflow.tasks import pipeline_lock

    home = Home(tmp_path)
    home.metadata_path("anomaly").parent.mkdir(parents=True)
    holder = (
        "import sys; from pathlib import Path; from pipeline.home import Home\n"
        "with Home(Path(sys.argv[1])).lock('anomaly'): print('held', flush=True); sys.stdin.read()"
    )
    with (
        process_that_holds(holder, tmp_path),
        pytest.raises(AirflowException, match="already running") as caught,
        pipeline_lock(home, "anomaly"),
    ):
        pass
    assert not isinstance(caught.value, AirflowFailException)
    with pipeline_lock(home, "anomaly"):
        pass
