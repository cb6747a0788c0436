"""Kubeflow Pipelines as a place for `pipeline.build`."""

from collections.abc import Mapping

from google.protobuf import text_format
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base.base_node import BaseNode

from components.schema.curated import curated_schema
from pipeline.runners.kubeflow_notes import RUN_ID_PLACEHOLDER
from pipeline.runners.kubeflow_outcome import RecordOutcome
from pipeline.runners.kubeflow_stages import ResolveData, ServedModel, WriteSchema
from pipeline_config import PipelineConfig

RESOLVE_STAGE = "ResolveData"
RECORD_STAGE = "RecordOutcome"


class KubeflowPlace:
    """A cluster: no path of this machine is known there.

    Args:
        push_root: The push directory, as a container sees it.
        pipeline_root: Where artifacts go; empty for the server's own.
        runs_folder: Where a run's stages leave word for its exit handler; None without one.
    """

    def __init__(self, push_root: str, pipeline_root: str, runs_folder: str | None = None) -> None:
        self._push_root = push_root
        self._pipeline_root = pipeline_root
        self._runs_folder = runs_folder

    @property
    def push_root(self) -> str:
        """The push directory."""
        return self._push_root

    def pipeline_root(self, config: PipelineConfig) -> str:
        """Where artifacts go."""
        del config
        return self._pipeline_root

    def metadata(self, config: PipelineConfig) -> None:
        """The server has its own."""
        del config

    def before_ingestion(self, ingestion: FileBasedExampleGen) -> list[BaseNode]:
        """The stage that does the work of ExampleGen's driver; its outputs are wired later."""
        properties = ingestion.exec_properties
        stage = ResolveData(
            input_base=properties["input_base"],
            input_config=properties["input_config"],
            range_config=properties["range_config"] or "",
            custom_config=properties["custom_config"],
        ).with_id(RESOLVE_STAGE)
        ingestion.add_upstream_node(stage)
        return [stage]

    def schema(self, config: PipelineConfig) -> BaseNode:
        """A stage that has the schema as a parameter."""
        schema = curated_schema(config.schema, feature=config.data.feature, shape=config.data.shape)
        return WriteSchema(content=text_format.MessageToString(schema))

    def blessed_model_before(self, config: PipelineConfig, node: BaseNode, output: str) -> BaseNode:
        """The model that is served when `node` has ended."""
        del output
        stage = ServedModel(push_root=self._push_root, model_name=config.pusher.model_name)
        stage.add_upstream_node(node)
        return stage

    def after_push(self, config: PipelineConfig, stages: Mapping[str, BaseNode]) -> list[BaseNode]:
        """The stage that records what came of the run, where somebody is to be told."""
        if self._runs_folder is None:
            return []
        infra_validator = stages.get("InfraValidator")
        stage = RecordOutcome(
            verdict=stages["DataGate"].outputs["verdict"],
            evaluation=stages["ThresholdEvaluator"].outputs["evaluation"],
            pushed_model=stages["VersionedPusher"].outputs["pushed_model"],
            infra_blessing=infra_validator.outputs["blessing"] if infra_validator else None,
            pipeline=config.name,
            data_folder=stages["ExampleGen"].exec_properties["input_base"],
            runs_folder=self._runs_folder,
            run_id=RUN_ID_PLACEHOLDER,
        )
        return [stage.with_id(RECORD_STAGE)]
