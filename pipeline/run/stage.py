"""TFX's LocalDagRunner, driven a node at a time so that each stage can be reported."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ml_metadata.proto.metadata_store_pb2 import Execution
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from pipeline.home import Home
from pipeline.metadata_file import require_usable
from pipeline.run.cached_outputs import record_outputs
from pipeline.run.lineage import open_store, run_executions
from pipeline.supervisor import tell_supervisor
from pipeline_config import UserInputError

_RUN_ID_PARAMETER = "pipeline-run-id"


class StageListener(Protocol):
    """Is called with what the runner does."""

    def started(self, stage: str) -> None:
        """A stage begins."""

    def finished(self, stage: str, seconds: float, cached: bool) -> None:
        """A stage ended well; `cached` if TFX found its result."""


class ObservedLocalDagRunner(LocalDagRunner):
    """Runs a pipeline in this process and reports each stage to a listener.

    Args:
        run_id: Name of the run in MLMD.
        connection: The pipeline's metadata store.
        listener: Is called for each stage.
        rerun_from: Stage that runs again, with all that follows it, whatever the cache holds.
    """

    def __init__(
        self,
        run_id: str,
        connection: metadata.ConnectionConfigType,
        listener: StageListener,
        rerun_from: str | None = None,
    ) -> None:
        super().__init__()
        self._run_id = run_id
        self._connection = connection
        self._listener = listener
        self._rerun_from = rerun_from

    def run_with_ir(
        self,
        pipeline: pipeline_pb2.Pipeline,
        run_options: pipeline_pb2.RunOptions | None = None,
    ) -> None:
        """Runs each node of the compiled pipeline through the stock runner.

        Raises:
            UserInputError: `rerun_from` names no stage of the pipeline, or the metadata file is
                damaged, lost or held by another process when a stage begins.
        """
        metadata_file = Path(self._connection.sqlite.filename_uri)
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {_RUN_ID_PARAMETER: self._run_id}
        )
        if self._rerun_from is not None:
            disable_cache_from(pipeline, self._rerun_from)
        for node in pipeline.nodes:
            stage = node.pipeline_node.node_info.id
            self._listener.started(stage)
            tell_supervisor(stage=stage)
            # TFX itself waits for minutes, and makes a new file in the place of a lost one.
            require_usable(*Home.of_metadata_path(metadata_file), writing=True)
            start = time.monotonic()
            with program_arguments_hidden():
                super().run_with_ir(only_stage(pipeline, stage), run_options)
            cached = self._record(stage)
            self._listener.finished(stage, time.monotonic() - start, cached)

    def _record(self, stage: str) -> bool:
        """Notes what the stage wrote; returns whether it came from the cache."""
        store = open_store(self._connection.sqlite.filename_uri)
        record_outputs(store, self._run_id, stage)
        executions = run_executions(store, self._run_id).get(stage, [])
        states = {execution.last_known_state for execution in executions}
        return states == {Execution.CACHED}


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


def disable_cache_from(pipeline: pipeline_pb2.Pipeline, stage: str) -> None:
    """Turns the cache off for `stage` and for all nodes that depend on it.

    Raises:
        UserInputError: The pipeline has no such stage.
    """
    nodes = [node.pipeline_node for node in pipeline.nodes]
    names = [node.node_info.id for node in nodes]
    if stage not in names:
        raise UserInputError(f"--from {stage}: no such stage; stages: {', '.join(names)}")
    affected = {stage}
    for node in nodes:
        if node.node_info.id == stage or affected.intersection(node.upstream_nodes):
            affected.add(node.node_info.id)
            node.execution_options.caching_options.enable_cache = False


def only_stage(pipeline: pipeline_pb2.Pipeline, stage: str) -> pipeline_pb2.Pipeline:
    """Returns a copy of the compiled pipeline in which all other stages are skipped."""
    alone = pipeline_pb2.Pipeline()
    alone.CopyFrom(pipeline)
    for node in alone.nodes:
        if node.pipeline_node.node_info.id != stage:
            node.pipeline_node.execution_options.skip.SetInParent()
    return alone
