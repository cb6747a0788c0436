"""The parts of a DAG run that need TFX: compile a pipeline, run one node of it, collect the end."""

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

# The models are Keras 3 on TensorFlow, whatever a user's own Keras settings say.
os.environ["KERAS_BACKEND"] = "tensorflow"

from ml_metadata.proto.metadata_store_pb2 import Execution
from tfx.dsl.compiler.compiler import Compiler
from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from data.choice import RunData
from pipeline.build import build_pipeline
from pipeline.home import Home
from pipeline.metadata_file import require_usable
from pipeline.run.cached_outputs import mark_incomplete, record_outputs
from pipeline.run.collect import collect_outcome, mark_abandoned
from pipeline.run.lineage import open_store, run_executions
from pipeline.run.outcome import BEGUN_FILE, RunOutcome
from pipeline.run.stage import only_stage, program_arguments_hidden
from pipeline.runners.airflow.graph import Graph, require_same_graph, stage_graph
from pipeline_config import PipelineConfig

_COMPILED_FILE = "pipeline.pb"


def begin_run(begun: RunOutcome, read: RunData, home: Home, beam_args: Sequence[str]) -> None:
    """Writes the compiled pipeline, and what is known of the run, into the run's folder.

    All tasks run what is compiled here, so that a span that arrives meanwhile, or another setting,
    changes nothing of a run that has begun.

    Args:
        begun: The run's outcome, as far as it is known.
        read: Which data the run reads.
        home: Output folder.
        beam_args: Options of Beam's pipelines.

    Raises:
        DriftedGraphError: The DAG's tasks are not the pipeline's nodes.
    """
    pipeline = build_pipeline(
        read.config,
        data_directory=read.facts.directory,
        data_sha256=read.facts.sha256,
        home=home,
        beam_args=beam_args,
        files=read.files,
    )
    compiled = Compiler().compile(pipeline)
    require_same_graph(stage_graph(read.config), compiled_graph(compiled))
    runtime_parameter_utils.substitute_runtime_parameter(
        compiled, {PIPELINE_RUN_ID_PARAMETER_NAME: begun.run_id}
    )
    directory = home.runs / begun.run_id
    (directory / _COMPILED_FILE).write_bytes(compiled.SerializeToString())
    (directory / BEGUN_FILE).write_text(json.dumps(begun.as_dict(), indent=2))


def compiled_graph(compiled: pipeline_pb2.Pipeline) -> Graph:
    """Returns the graph of a compiled pipeline."""
    nodes = [node.pipeline_node for node in compiled.nodes]
    return {node.node_info.id: frozenset(node.upstream_nodes) for node in nodes}


def run_node(home: Home, pipeline: str, run_id: str, stage: str) -> None:
    """Runs one node, or does nothing if an earlier try has finished it.

    Call it while holding the pipeline's lock: what MLMD calls running then was killed.

    Raises:
        UserInputError: The pipeline's metadata file cannot be used.
    """
    require_usable(home, pipeline, writing=True)
    metadata_path = home.metadata_path(pipeline)
    killed = _killed_executions(metadata_path, run_id, stage)
    mark_abandoned(metadata_path)
    mark_incomplete(metadata_path)
    for execution in killed:
        _remove_outputs(home.artifacts(pipeline) / stage, execution)
    compiled = pipeline_pb2.Pipeline()
    compiled.ParseFromString((home.runs / run_id / _COMPILED_FILE).read_bytes())
    with program_arguments_hidden():
        LocalDagRunner().run_with_ir(only_stage(compiled, stage))
    record_outputs(open_store(str(metadata_path)), run_id, stage)


def collect_run(config: PipelineConfig, home: Home, begun: RunOutcome) -> RunOutcome:
    """Returns the outcome of a run whose nodes have all ended well; without its times."""
    assert begun.data is not None, "it began with its data"
    executions = run_executions(open_store(str(home.metadata_path(config.name))), begun.run_id)
    cached = [
        stage
        for stage, of_stage in executions.items()
        if {execution.last_known_state for execution in of_stage} == {Execution.CACHED}
    ]
    outcome = collect_outcome(config, home, begun.run_id, begun.data, seconds={}, cached=cached)
    return dataclasses.replace(
        outcome,
        notices=[*begun.notices, *outcome.notices],
        inputs_sha256=begun.inputs_sha256,
    )


def _killed_executions(metadata_path: Path, run_id: str, stage: str) -> list[int]:
    if not metadata_path.exists():
        return []
    executions = run_executions(open_store(str(metadata_path)), run_id)
    return [
        execution.id
        for execution in executions.get(stage, [])
        if execution.last_known_state in (Execution.NEW, Execution.RUNNING)
    ]


def _remove_outputs(stage_directory: Path, execution: int) -> None:
    """Removes what a killed try wrote: TFX takes the same execution again, and so its folders."""
    for pattern in (f"*/{execution}", f".system/*/{execution}"):
        for leftover in stage_directory.glob(pattern):
            shutil.rmtree(leftover)
