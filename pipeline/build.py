"""From a config to a TFX pipeline: short functions, one a stage group."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2
from tfx.types.channel import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from components.blessed_model_resolver.strategy import LatestBlessedModelBefore
from components.data_gate.component import DataGate
from components.ecg_example_gen.component import ecg_example_gen
from components.idx_example_gen.component import idx_example_gen
from components.schema.curated import write_curated_schema
from components.threshold_evaluator.component import ThresholdEvaluator
from components.versioned_pusher.component import VersionedPusher
from pipeline.fingerprint import source_fingerprint
from pipeline.home import Home
from pipeline_config import PipelineConfig, SignalData, section_as_dict
