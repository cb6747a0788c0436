"""What came of a DAG run, from the states of its tasks and, if all went well, from MLMD."""

import dataclasses
import datetime
import json
from collections.abc import Mapping

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.state import TaskInstanceState

from pipeline.home import Home
from pipeline.run.outcome import BEGUN_FILE, RunOutcome, outcome_from_dict
from pipeline.runners.airflow.graph import stage_graph
from pipeline.runners.airflow.tasks import CHOOSE_DATA, FAILURE
from pipeline.runners.local import with_report
from pipeline_config import PipelineConfig


def dag_run_outcome(
    config: PipelineConfig, home: Home, run_id: str, ti: TaskInstance, dag_run: DagRun
) -> RunOutcome:
    """Records what came of a DAG run, and writes its report.

    Args:
        config: The pipeline.
        home: Output folder.
        run_id: The run's name at TFX.
        ti: The task that asks, when all others have ended.
        dag_run: The DAG run.
    """
    tasks = {task.task_id: task for task in dag_run.get_task_instances()}
    outcome = _begun(home, run_id) or RunOutcome(config.name, run_id, "failed")
    ended_early = _first_that_ended_early(config, tasks)
    if ended_early is None:
        from pipeline.runners.airflow.run import collect_run

        outcome = collect_run(config, home, outcome)
    else:
        outcome = _bad_end(outcome, ended_early, ti)
    outcome = dataclasses.replace(outcome, seconds=_seconds(config, tasks, dag_run))
    return outcome if outcome.status == "failed" else with_report(outcome, config, home)


def _begun(home: Home, run_id: str) -> RunOutcome | None:
    path = home.runs / run_id / BEGUN_FILE
    return outcome_from_dict(json.loads(path.read_text())) if path.exists() else None


def _first_that_ended_early(
    config: PipelineConfig, tasks: Mapping[str, TaskInstance]
) -> TaskInstance | None:
    unfinished = [
        tasks[name]
        for name in (CHOOSE_DATA, *stage_graph(config))
        if tasks[name].state != TaskInstanceState.SUCCESS
    ]
    failed = [task for task in unfinished if task.state == TaskInstanceState.FAILED]
    return next(iter([*failed, *unfinished]), None)


def _bad_end(outcome: RunOutcome, task: TaskInstance, ti: TaskInstance) -> RunOutcome:
    failure = ti.xcom_pull(task_ids=task.task_id, key=FAILURE)
    if failure is None:
        reason = f"{task.task_id} ended as {task.state} without a message: killed? See its log"
        return dataclasses.replace(outcome, reasons=[reason])
    return dataclasses.replace(outcome, status=failure["status"], reasons=[failure["reason"]])


def _seconds(
    config: PipelineConfig, tasks: Mapping[str, TaskInstance], dag_run: DagRun
) -> dict[str, float]:
    """Returns the time of each stage's last try, and of all from the start of the DAG run."""
    stages = {
        stage: round(tasks[stage].duration, 3)
        for stage in stage_graph(config)
        if tasks[stage].duration
    }
    now = datetime.datetime.now(datetime.UTC)
    return stages | {"total": round((now - (dag_run.start_date or now)).total_seconds(), 3)}
