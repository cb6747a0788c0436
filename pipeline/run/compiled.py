"""A compiled pipeline: its file in a run's folder, its graph, and one stage of it alone."""

from collections.abc import Mapping
from pathlib import Path

from tfx.dsl.compiler.compiler import Compiler
from tfx.dsl.compiler.constants import PIPELINE_RUN_ID_PARAMETER_NAME
from tfx.orchestration.pipeline import Pipeline as TfxPipeline
from tfx.orchestration.portable import runtime_parameter_utils
from tfx.proto.orchestration.pipeline_pb2 import Pipeline

from pipeline_config import UserInputError

_COMPILED_FILE = "pipeline.pb"


def compile_run(pipeline: TfxPipeline, run_id: str, rerun_from: str | None = None) -> Pipeline:
    """Compiles a pipeline for one run.

    Args:
        pipeline: As built.
        run_id: Name of the run in MLMD.
        rerun_from: Stage that runs again, with all that follows it, even if it is cached.

    Raises:
        UserInputError: The pipeline has no stage `rerun_from`.
    """
    compiled = Compiler().compile(pipeline)
    runtime_parameter_utils.substitute_runtime_parameter(
        compiled, {PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    if rerun_from is None:
        return compiled
    nodes = [node.pipeline_node for node in compiled.nodes]
    names = [node.node_info.id for node in nodes]
    if rerun_from not in names:
        raise UserInputError(f"--from {rerun_from}: no such stage; stages: {', '.join(names)}")
    affected = {rerun_from}
    for node in nodes:
        if node.node_info.id == rerun_from or affected.intersection(node.upstream_nodes):
            affected.add(node.node_info.id)
            node.execution_options.caching_options.enable_cache = False
    return compiled


def write_compiled(compiled: Pipeline, directory: Path) -> None:
    """Writes a compiled pipeline into a run's folder."""
    (directory / _COMPILED_FILE).write_bytes(compiled.SerializeToString())


def read_compiled(directory: Path) -> Pipeline:
    """Returns the compiled pipeline in a run's folder.

    Raises:
        OSError: There is none: the run has not begun.
    """
    return Pipeline.FromString((directory / _COMPILED_FILE).read_bytes())


def stage_graph(compiled: Pipeline) -> Mapping[str, frozenset[str]]:
    """Returns the stages, in an order in which they can run -> the stages that each waits for."""
    nodes = [node.pipeline_node for node in compiled.nodes]
    return {node.node_info.id: frozenset(node.upstream_nodes) for node in nodes}


def only_stage(pipeline: Pipeline, stage: str) -> Pipeline:
    """Returns a copy of the compiled pipeline in which all other stages are skipped."""
    alone = Pipeline()
    alone.CopyFrom(pipeline)
    for node in alone.nodes:
        if node.pipeline_node.node_info.id != stage:
            node.pipeline_node.execution_options.skip.SetInParent()
    return alone
