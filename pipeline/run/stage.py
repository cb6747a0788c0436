"""One stage of a run that has begun, through TFX's own LocalDagRunner."""

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator

from ml_metadata.proto.metadata_store_pb2 import Execution
from tfx.orchestration.local.local_dag_runner import LocalDagRunner

from pipeline.metadata_file import require_usable
from pipeline.run.cached_outputs import UNDER_WAY, mark_incomplete, record_outputs
from pipeline.run.compiled import only_stage, read_compiled
from pipeline.run.lineage import open_store, run_executions
from pipeline.run.record import RunRecord
from pipeline.supervisor import notify_supervisor


def run_stage(record: RunRecord, stage: str) -> None:
    """Runs one stage of a run's compiled pipeline, and records its time and if it was cached.

    Call it while holding the pipeline's lock.

    Raises:
        UserInputError: The metadata file is damaged, lost or held by another process.
    """
    home, run_id = record.home, record.outcome.run_id
    notify_supervisor(stage=stage)
    # TFX itself waits for minutes, and makes a new file in the place of a lost one.
    require_usable(home, record.outcome.pipeline, writing=True)
    start = time.monotonic()
    with program_arguments_hidden():
        LocalDagRunner().run_with_ir(only_stage(read_compiled(record.directory), stage))
    store = open_store(home, record.outcome.pipeline)
    executions = run_executions(store, run_id).get(stage, [])
    record_outputs(store, executions)
    is_cached = {execution.last_known_state for execution in executions} == {Execution.CACHED}
    cached = [*record.outcome.cached, *([stage] if is_cached else [])]
    record.update(
        seconds=record.outcome.seconds | {stage: round(time.monotonic() - start, 3)},
        cached=list(dict.fromkeys(cached)),
    )


def clear_earlier_try(record: RunRecord, stage: str) -> None:
    """Removes what a try of a stage left that failed or was killed, and forgets its failure.

    Call this while holding the pipeline's lock: what MLMD calls running then was killed.

    Raises:
        UserInputError: The metadata file cannot be used.
    """
    home, pipeline = record.home, record.outcome.pipeline
    record.reopen(stage)
    require_usable(home, pipeline, writing=True)
    if not home.metadata_path(pipeline).exists():
        return
    executions = run_executions(open_store(home, pipeline), record.outcome.run_id)
    mark_incomplete(home, pipeline)
    # TFX takes the same execution again, and so its folders.
    for execution in executions.get(stage, []):
        if execution.last_known_state in UNDER_WAY:
            for pattern in (f"*/{execution.id}", f".system/*/{execution.id}"):
                for leftover in (home.artifacts(pipeline) / stage).glob(pattern):
                    shutil.rmtree(leftover)


@contextlib.contextmanager
def program_arguments_hidden() -> Iterator[None]:
    """Leaves `sys.argv` with the program's name alone.

    TFX's Beam executors read `sys.argv` as absl's flags: `-v` of the program that runs a stage,
    such as `airflow dags test -v`, would be a verbosity there, and the next word its value.
    """
    arguments = sys.argv
    sys.argv = arguments[:1]
    try:
        yield
    finally:
        sys.argv = arguments
