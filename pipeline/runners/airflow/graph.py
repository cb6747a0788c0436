"""Which stages a pipeline has and what each waits for, found out without TFX.

Airflow's scheduler reads the DAG file every half minute, and importing TFX takes ten seconds. So
the graph is written down here a second time. It cannot drift unnoticed: a test holds it equal to
the compiled pipeline, and each DAG run's first task does so too (`require_same_graph`).
"""

from collections.abc import Mapping

from pipeline_config import PipelineConfig

Graph = Mapping[str, frozenset[str]]
"""Stage -> the stages that it waits for; in an order in which they can run."""


class DriftedGraphError(Exception):
    """The DAG is not that of the compiled pipeline: a bug, or settings changed under a DAG run."""


def stage_graph(config: PipelineConfig) -> Graph:
    """Returns the graph of a pipeline with these settings."""
    graph = {
        "ExampleGen": set[str](),
        "SchemaGen": set[str](),
        "StatisticsGen": {"ExampleGen", "SchemaGen"},
        "ExampleValidator": {"StatisticsGen", "SchemaGen"},
        "DataGate": {"StatisticsGen", "ExampleValidator", "SchemaGen"},
        "Transform": {"ExampleGen", "SchemaGen", "DataGate"},
    }
    training = {"Transform", "SchemaGen"}
    if config.trainer.warm_start:
        graph["WarmStartResolver"] = {"Transform"}
        training.add("WarmStartResolver")
    graph["Trainer"] = training
    graph["BaselineResolver"] = {"Trainer"}
    graph["ThresholdEvaluator"] = {"ExampleGen", "Transform", "Trainer", "BaselineResolver"}
    pushing = {"ExampleGen", "ThresholdEvaluator"}
    if config.infra_validator.enabled:
        graph["InfraValidator"] = {"ExampleGen", "ThresholdEvaluator"}
        pushing.add("InfraValidator")
    graph["VersionedPusher"] = pushing
    return {stage: frozenset(upstream) for stage, upstream in graph.items()}


def last_stages(graph: Graph) -> list[str]:
    """Returns the stages that no other waits for."""
    waited_for = frozenset[str]().union(*graph.values())
    return [stage for stage in graph if stage not in waited_for]


def require_same_graph(dag: Graph, compiled: Graph) -> None:
    """Checks the DAG that Airflow runs against the pipeline that TFX compiled.

    Raises:
        DriftedGraphError: They differ; the message names the stages.
    """
    differing = [
        stage for stage in sorted({*dag, *compiled}) if dag.get(stage) != compiled.get(stage)
    ]
    if differing:
        raise DriftedGraphError(
            f"Airflow's tasks differ from the pipeline's stages at {', '.join(differing)}: "
            "pipeline/runners/airflow/graph.py is out of date, or settings changed since Airflow "
            "read the DAG"
        )
