"""What Airflow's tasks do; each runs in a process of its own, and TFX is imported there alone.

What a task passes to another goes through XCom, which Airflow clears when a task is tried again.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

from airflow.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance

from pipeline.home import Home
from pipeline.run.outcome import RunOutcome, write_outcome
from pipeline.runners.airflow.settings import scheduled_beam, scheduled_config, scheduled_home
from pipeline_config import PipelineConfig, UserInputError

CHOOSE_DATA = "choose_data"
FINISH = "finish"

IF_NEW_DATA = "if_new_data"
"""Parameter of a DAG run: whether one with no new data runs nothing."""

FAILURE = "failure"
"""XCom of a task that failed: `status` and `reason`."""

_RUN_ID = "run_id"

_LOG = logging.getLogger(__name__)


def choose_data(
    pipeline: str, ti: TaskInstance, dag_run: DagRun, params: Mapping[str, Any]
) -> bool:
    """Chooses the data and compiles the pipeline for all tasks of the DAG run.

    Returns:
        False if there is no new data: Airflow then skips all other tasks.

    Raises:
        AirflowFailException: The user's data or a setting is wrong.
    """
    home = _home()
    with _failure_told(ti, home, pipeline):
        from pipeline.beam_profiles import beam_arguments
        from pipeline.run.begin import inputs_sha256
        from pipeline.runners.local import RunRequest, read_data, standing_outcome

        config = scheduled_config(pipeline, os.environ)
        request = RunRequest(names=(pipeline,), home=home.root)
        home.prepare(config)
        if params[IF_NEW_DATA] and (standing := standing_outcome(config, request, home)):
            _LOG.info("no new data: %s", standing.reasons[0])
            return False
        read = read_data(config, request, home)
        inputs = inputs_sha256(read.config, read.facts)
        run_id = name_of_run(pipeline, dag_run, inputs)
        ti.xcom_push(key=_RUN_ID, value=run_id)
        with _log_kept(home, run_id):
            from pipeline.runners.airflow.run import begin_run

            begun = RunOutcome(
                pipeline=pipeline,
                run_id=run_id,
                status="failed",
                data=read.facts,
                notices=list(read.notices),
                inputs_sha256=inputs,
            )
            begin_run(begun, read, home, beam_arguments(*scheduled_beam(os.environ)))
    return True


def run_stage(pipeline: str, stage: str, ti: TaskInstance) -> None:
    """Runs one node of the pipeline as `choose_data` compiled it.

    Raises:
        AirflowFailException: A gate refused, or the user's data is wrong.
        AirflowException: Another process runs this pipeline in this home.
    """
    home = _home()
    run_id = ti.xcom_pull(task_ids=CHOOSE_DATA, key=_RUN_ID)
    with _failure_told(ti, home, pipeline), _log_kept(home, run_id), pipeline_lock(home, pipeline):
        from pipeline.runners.airflow.run import run_node

        run_node(home, pipeline, run_id, stage)


def finish(pipeline: str, ti: TaskInstance, dag_run: DagRun) -> None:
    """Writes what came of the run, notifies the webhook of a bad end, and fails with its reason.

    Raises:
        AirflowFailException: The run ended badly.
    """
    from pipeline.run.webhook import post_outcome
    from pipeline.runners.airflow.outcome import dag_run_outcome

    home = _home()
    config = scheduled_config(pipeline, os.environ)
    run_id = ti.xcom_pull(task_ids=CHOOSE_DATA, key=_RUN_ID) or name_of_run(pipeline, dag_run, "")
    with _log_kept(home, run_id) as log:
        try:
            outcome = dag_run_outcome(config, home, run_id, ti, dag_run)
        except Exception as error:
            if ti.is_eligible_to_retry():
                raise
            _LOG.exception("run %s cannot be reported", run_id)
            reason = f"{FINISH}: {_crash(error)}"
            outcome = RunOutcome(pipeline, run_id, "failed", reasons=[reason])
        outcome = dataclasses.replace(outcome, log=log)
        if untold := post_outcome(outcome, config.schedule):
            _LOG.error("%s", untold)
            outcome = dataclasses.replace(outcome, notices=[*outcome.notices, untold])
        write_outcome(outcome, home.runs / run_id)
        _prune(outcome, config, home)
        _LOG.info("%s", json.dumps({"runs": [outcome.as_dict()]}))
    if outcome.exit_code:
        raise AirflowFailException(f"{outcome.status}: {'; '.join(outcome.reasons)}")


def _prune(outcome: RunOutcome, config: PipelineConfig, home: Home) -> None:
    """Removes old runs, unless another run has begun meanwhile: its end removes them then."""
    from pipeline.prune import prune_after_run

    try:
        with home.lock(config.name):
            untidy = prune_after_run(outcome, config, home)
    except UserInputError as error:
        untidy = f"old runs stay: {error}"
    if untidy:
        _LOG.warning("%s", untidy)


def _home() -> Home:
    return Home(scheduled_home(os.environ))


def name_of_run(pipeline: str, dag_run: DagRun, inputs: str) -> str:
    """Returns the run's name at TFX: the same for all tasks and all their tries.

    The time is when the DAG run was due. If a DAG run is cleared after its data, settings or
    code were mended, it is another run to TFX; else TFX would take the old stages for done.
    """
    due = max(time for time in (dag_run.execution_date, dag_run.data_interval_end) if time)
    identity = hashlib.sha256(f"{dag_run.run_id} {inputs}".encode()).hexdigest()
    return f"{pipeline}-{due:%Y%m%dT%H%M%S}-{identity[:4]}"


@contextlib.contextmanager
def _failure_told(ti: TaskInstance, home: Home, pipeline: str) -> Iterator[None]:
    """Leaves the reason of a failure to `finish`; ends the retries if another one is no use."""
    from pipeline.runners.local import classify

    try:
        yield
    except AirflowTaskTimeout as error:
        ti.xcom_push(key=FAILURE, value={"status": "failed", "reason": _crash(error)})
        raise
    except Exception as error:
        try:
            status, reason = classify(error, home, pipeline)
        except Exception:
            ti.xcom_push(key=FAILURE, value={"status": "failed", "reason": _crash(error)})
            raise
        ti.xcom_push(key=FAILURE, value={"status": status, "reason": reason})
        raise AirflowFailException(reason) from None


@contextlib.contextmanager
def pipeline_lock(home: Home, pipeline: str) -> Iterator[None]:
    """Holds the right to run the pipeline; if another process has it, the next try may get it.

    The system frees it when the task is killed.
    """
    with contextlib.ExitStack() as stack:
        busy = None
        try:
            stack.enter_context(home.lock(pipeline))
        except UserInputError as error:
            busy = str(error)
        if busy is not None:
            raise AirflowException(busy)
        yield


@contextlib.contextmanager
def _log_kept(home: Home, run_id: str) -> Iterator[str]:
    """Writes what the task logs into the run's log file too; yields its path."""
    from absl import logging as absl_logging

    from pipeline.runners.local import LOG_FILE

    path = home.runs / run_id / LOG_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    # TFX logs through absl, which keeps a level of its own.
    absl_logging.set_verbosity(absl_logging.INFO)
    try:
        yield str(path)
    finally:
        root.removeHandler(handler)
        handler.close()


def _crash(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
