"""A DAG for each pipeline, one Airflow task for each TFX node.

TFX has an `AirflowDagRunner`. It was tried on these pipelines and is not used, because

- it builds the DAG from the TFX pipeline itself, so each parse of the DAG file imports TFX: ten
  seconds, where Airflow parses each file every half minute;
- its launcher is the one from before TFX's compiled pipelines. There a Resolver gets the artifacts
  of all runs for each input, so that `LatestBlessedModelBefore` finds nothing older than the
  oldest of them: no model is ever compared with the one that is served;
- it records runs in MLMD in other contexts than the local runner, so that no outcome, report or
  lineage of such a run is found, and a push does not know its run;
- a stage that fails or is killed stays "running" in MLMD for good.

So each task runs one node of the pipeline as compiled, through the same LocalDagRunner as `aepipe
run`: caching, resolvers, gates and lineage are the same, and runs of both can share a home.

Around the nodes stand two tasks more. The first chooses the data, compiles the pipeline for the
whole run and ends a run with no new data: all else is skipped. The last always runs: it writes what
came of the run, notifies the webhook of a bad end and fails the DAG run.

MLMD is an SQLite file a pipeline here, which bears one writer: a DAG has one active run, one active
task, and each task holds the lock of the home's pipeline. The stages form nearly a chain, so little
waits for that; different pipelines run at the same time.
"""

import datetime
from collections.abc import Mapping

from airflow.models.dag import DAG
from airflow.models.param import Param
from airflow.operators.python import PythonOperator, ShortCircuitOperator
from airflow.utils.trigger_rule import TriggerRule

from pipeline.runners.airflow.graph import Graph, stage_graphs
from pipeline.runners.airflow.settings import scheduled_configs
from pipeline.runners.airflow.tasks import (
    CHOOSE_DATA,
    FINISH,
    IF_NEW_DATA,
    choose_data,
    finish,
    run_stage,
)
from pipeline_config import PipelineConfig, ScheduleConfig

_FIRST_DAY = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
"""Airflow wants one; with catch-up off any day in the past does."""

_LONGEST_RETRY_DELAY = datetime.timedelta(hours=1)


def build_dags(environ: Mapping[str, str]) -> dict[str, DAG]:
    """Builds the DAGs of all pipelines.

    Args:
        environ: Environment variables; see `pipeline.runners.airflow.settings`.

    Returns:
        DAG id, such as `aepipe_anomaly`, -> DAG.

    Raises:
        UserInputError: A setting is wrong; Airflow shows the line as the file's import error.
    """
    graphs = stage_graphs(environ)
    dags = [build_dag(config, graphs[config.name]) for config in scheduled_configs(environ)]
    return {dag.dag_id: dag for dag in dags}


def build_dag(config: PipelineConfig, graph: Graph) -> DAG:
    """Builds one pipeline's DAG."""
    schedule = config.schedule
    with DAG(
        dag_id=f"aepipe_{config.name}",
        description=config.description,
        schedule=None if schedule.cron == "none" else schedule.cron,
        start_date=_FIRST_DAY,
        catchup=False,
        max_active_runs=1,
        max_active_tasks=1,
        default_args=_task_arguments(schedule),
        tags=list(schedule.tags),
        params={
            IF_NEW_DATA: Param(
                True,
                type="boolean",
                description="Run nothing if data, settings and code are as in the last run.",
            )
        },
    ) as dag:
        named = {"pipeline": config.name}
        first = ShortCircuitOperator(
            task_id=CHOOSE_DATA,
            python_callable=choose_data,
            op_kwargs={**named, "stages": list(graph)},
        )
        stages = {
            stage: PythonOperator(
                task_id=stage, python_callable=run_stage, op_kwargs={**named, "stage": stage}
            )
            for stage in graph
        }
        last = PythonOperator(
            task_id=FINISH,
            python_callable=finish,
            op_kwargs=named,
            trigger_rule=TriggerRule.ALL_DONE,
        )
    for stage, upstream in graph.items():
        stages[stage].set_upstream([stages[name] for name in upstream] or [first])
    waited_for = {name for upstream in graph.values() for name in upstream}
    last.set_upstream([task for stage, task in stages.items() if stage not in waited_for])
    return dag


def _task_arguments(schedule: ScheduleConfig) -> dict[str, object]:
    return {
        "owner": "aepipe",
        "retries": schedule.retries,
        "retry_delay": datetime.timedelta(seconds=schedule.retry_delay_seconds),
        "retry_exponential_backoff": True,
        "max_retry_delay": _LONGEST_RETRY_DELAY,
        "execution_timeout": datetime.timedelta(minutes=schedule.timeout_minutes),
    }
