"""Where a pipeline runs: the few parts of it that differ from place to place."""

from collections.abc import Mapping
from typing import Any, Protocol

from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.types.channel import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.blessed_model_resolver.strategy import LatestBlessedModelBefore
from components.schema.curated import write_curated_schema
from pipeline.home import Home
from pipeline_config import PipelineConfig


class Place(Protocol):
    """What `pipeline.build` asks of the place that its pipeline is for."""

    @property
    def push_root(self) -> str:
        """The push directory, as the pusher sees it."""

    def pipeline_root(self, config: PipelineConfig) -> str:
        """Where artifacts go."""

    def metadata(self, config: PipelineConfig) -> Any:
        """TFX's connection to the metadata store; None if the place has its own."""

    def before_ingestion(self, ingestion: FileBasedExampleGen) -> list[BaseNode]:
        """Stages that run before ExampleGen."""

    def schema(self, config: PipelineConfig) -> BaseNode:
        """A stage whose output `schema` is the curated schema."""

    def blessed_model_before(self, config: PipelineConfig, node: BaseNode, output: str) -> BaseNode:
        """A stage whose output `model` is the latest blessed model older than `node`'s `output`."""

    def after_push(self, config: PipelineConfig, stages: Mapping[str, BaseNode]) -> list[BaseNode]:
        """Stages that run last; `stages` are all others by their names."""


class LocalPlace:
    """An output folder on this machine."""

    def __init__(self, home: Home) -> None:
        self._home = home

    @property
    def push_root(self) -> str:
        """The push directory."""
        return str(self._home.push_root)

    def pipeline_root(self, config: PipelineConfig) -> str:
        """Where artifacts go."""
        return str(self._home.artifacts(config.name))

    def metadata(self, config: PipelineConfig) -> Any:
        """MLMD on SQLite, one file a pipeline."""
        return metadata.sqlite_metadata_connection_config(
            str(self._home.metadata_path(config.name))
        )

    def before_ingestion(self, ingestion: FileBasedExampleGen) -> list[BaseNode]:
        """None: ExampleGen's driver resolves the spans."""
        del ingestion
        return []

    def schema(self, config: PipelineConfig) -> BaseNode:
        """TFX's ImportSchemaGen of a file in the output folder."""
        file = write_curated_schema(
            config.schema,
            feature=config.data.feature,
            shape=config.data.shape,
            directory=self._home.schemas,
        )
        return ImportSchemaGen(schema_file=str(file))

    def blessed_model_before(self, config: PipelineConfig, node: BaseNode, output: str) -> BaseNode:
        """A Resolver, which finds the same model for an artifact out of the cache."""
        del config
        return Resolver(
            strategy_class=LatestBlessedModelBefore,
            before=node.outputs[output],
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
        )

    def after_push(self, config: PipelineConfig, stages: Mapping[str, BaseNode]) -> list[BaseNode]:
        """None: the runner collects what came of the run from MLMD."""
        del config, stages
        return []
