"""What Airflow's tasks do: the steps of `pipeline.run`, each in a process of its own.

The state of a run lies in its folder. Its name alone goes through XCom, which Airflow clears when
a task is tried again. TFX is imported in the tasks alone.
"""

import contextlib
import datetime
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance

from pipeline.home import Home
from pipeline.run.outcome import OUTCOME_FILE, RunOutcome
from pipeline.run.record import RunRecord, open_record, resume_record
from pipeline.runners.airflow.settings import scheduled_beam, scheduled_config, scheduled_home
from pipeline_config import PipelineConfig, UserInputError

CHOOSE_DATA = "choose_data"
FINISH = "finish"

IF_NEW_DATA = "if_new_data"
"""Parameter of a DAG run: whether one with no new data runs nothing."""

_RUN_ID = "run_id"

_LOG = logging.getLogger(__name__)


def choose_data(
    pipeline: str,
    stages: Sequence[str],
    ti: TaskInstance,
    dag_run: DagRun,
    params: Mapping[str, Any],
) -> bool:
    """Begins the run: chooses the data and compiles the pipeline for all tasks of the DAG run.

    Returns:
        False if there is no new data: Airflow then skips all other tasks.

    Raises:
        AirflowFailException: The user's data or a setting is wrong.
    """
    from pipeline.beam_profiles import beam_arguments
    from pipeline.run.begin import begin_run, inputs_sha256, read_data, unchanged_outcome

    home, config = _home(), scheduled_config(pipeline, os.environ)
    with _recorded_if_it_fails(config, home, name_of_run(pipeline, dag_run, "")):
        home.prepare(config)
        read = read_data(config, home)
        if params[IF_NEW_DATA] and (unchanged := unchanged_outcome(read, home)):
            _LOG.info("no new data: %s", unchanged.reasons[0])
            return False
    run_id = name_of_run(pipeline, dag_run, inputs_sha256(read))
    ti.xcom_push(key=_RUN_ID, value=run_id)
    with (
        open_record(home, config.name, run_id, by_steps=True) as record,
        _recorded(record, CHOOSE_DATA),
        pipeline_lock(home, pipeline),
    ):
        beam_args = beam_arguments(*scheduled_beam(os.environ))
        begun = begin_run(record, read, beam_args=beam_args)
        if begun != [*stages]:
            raise AirflowException(
                f"the pipeline's stages are {', '.join(begun)}, Airflow's tasks "
                f"{', '.join(stages)}: settings have changed since Airflow read the DAG"
            )
    return True


def run_stage(pipeline: str, stage: str, ti: TaskInstance) -> None:
    """Runs one node of the pipeline as `choose_data` compiled it.

    Raises:
        AirflowFailException: A gate refused, or the user's data is wrong.
        AirflowException: Another process runs this pipeline in this home.
    """
    home = _home()
    with (
        resume_record(home, ti.xcom_pull(task_ids=CHOOSE_DATA, key=_RUN_ID)) as record,
        _recorded(record, stage),
        pipeline_lock(home, pipeline),
    ):
        from pipeline.run import stage as stages

        stages.clear_earlier_try(record, stage)
        stages.run_stage(record, stage)


def finish(pipeline: str, ti: TaskInstance, dag_run: DagRun) -> None:
    """Records what came of the run, notifies the webhook of a bad end, and fails with its reason.

    Raises:
        AirflowFailException: The run ended badly.
    """
    from pipeline.run.end import end_run, notify

    home, config = _home(), scheduled_config(pipeline, os.environ)
    run_id = ti.xcom_pull(task_ids=CHOOSE_DATA, key=_RUN_ID) or name_of_run(pipeline, dag_run, "")
    if not (home.runs / run_id / OUTCOME_FILE).exists():
        with open_record(home, config.name, run_id, by_steps=True):
            """The first task was killed before it recorded anything."""
    now = datetime.datetime.now(datetime.UTC)
    total = (now - (dag_run.start_date or now)).total_seconds()
    with resume_record(home, run_id) as record, _log_kept(record.log):
        try:
            outcome = end_run(record, config, total_seconds=total)
        except Exception as error:
            if ti.is_eligible_to_retry():
                raise
            _LOG.exception("run %s cannot be collected", run_id)
            record.fail(FINISH, "failed", f"{FINISH}: {_crash(error)}")
            outcome = end_run(record, config, total_seconds=total)
        outcome = notify(outcome, config.schedule, home)
        _prune(outcome, config, home)
        _LOG.info("%s", json.dumps({"runs": [outcome.as_dict()]}))
    if outcome.exit_code:
        raise AirflowFailException(f"{outcome.status}: {'; '.join(outcome.reasons)}")


def _prune(outcome: RunOutcome, config: PipelineConfig, home: Home) -> None:
    """Removes old runs, unless another run has begun meanwhile: its end removes them then."""
    from pipeline.prune import prune_after_run

    try:
        with home.lock(config.name):
            failure = prune_after_run(outcome, config, home)
    except UserInputError as error:
        failure = f"old runs stay: {error}"
    if failure:
        _LOG.warning("%s", failure)


def _home() -> Home:
    return Home(scheduled_home(os.environ))


def name_of_run(pipeline: str, dag_run: DagRun, inputs: str) -> str:
    """Returns the run's name at TFX: the same for all tasks and all their tries.

    The time is when the DAG run was due. If a DAG run is cleared after its data, settings or code
    were mended, it is another run to TFX; else TFX would take the old stages for done.
    """
    due = max(time for time in (dag_run.execution_date, dag_run.data_interval_end) if time)
    identity = hashlib.sha256(f"{dag_run.run_id} {inputs}".encode()).hexdigest()
    return f"{pipeline}-{due:%Y%m%dT%H%M%S}-{identity[:4]}"


@contextlib.contextmanager
def _recorded_if_it_fails(config: PipelineConfig, home: Home, run_id: str) -> Iterator[None]:
    """Opens a record only for a failure: a run with no new data has none."""
    try:
        yield
    except BaseException as error:
        with (
            open_record(home, config.name, run_id, by_steps=True) as record,
            _recorded(record, CHOOSE_DATA),
        ):
            raise error


@contextlib.contextmanager
def _recorded(record: RunRecord, step: str) -> Iterator[None]:
    """Keeps the step's log and failure in the run's folder; ends the tries if they are no use."""
    from pipeline.run.end import record_failure

    with _log_kept(record.log):
        try:
            yield
        except AirflowTaskTimeout as error:
            record.fail(step, "failed", _crash(error))
            raise
        except Exception as error:
            try:
                _, reason = record_failure(record, step, error)
            except Exception:
                record.fail(step, "failed", _crash(error))
                raise
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
def _log_kept(path: Path) -> Iterator[None]:
    """Writes what the task logs into the run's log file too."""
    from absl import logging as absl_logging

    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    # TFX logs through absl, which keeps a level of its own.
    absl_logging.set_verbosity(absl_logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def _crash(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
