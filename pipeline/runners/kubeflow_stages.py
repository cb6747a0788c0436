"""Stages that stand in on Kubeflow Pipelines for what TFX does without a container elsewhere.

The server runs containers and importers only. TFX's drivers, which resolve spans and look into the
cache, its Resolvers, and files of the compiling machine are not there.
"""

from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.component.experimental.annotations import OutputArtifact, OutputDict, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_component_specs
from tfx.types.standard_artifacts import Model, Schema
from tfx.utils import io_utils, path_utils

from components.span_window.window import resolve_window
from pipeline.runners.kubeflow_step import ABSENT_PROPERTY
from serving.push_directory.layout import list_versions
from serving.push_directory.model_versions import served_version

SCHEMA_FILE = "schema.pbtxt"
NO_MODEL_FILE = "NO_MODEL"


@component
def ResolveData(  # noqa: N802 - TFX names a component as a class.
    input_base: Parameter[str],
    input_config: Parameter[str],
    range_config: Parameter[str],
    custom_config: Parameter[str],
) -> OutputDict(span_window=str, input_fingerprint=str):  # type: ignore[valid-type]
    """Finds the files to read, and whether they are new: the work of ExampleGen's driver.

    Args:
        input_base: ExampleGen's.
        input_config: ExampleGen's.
        range_config: ExampleGen's; empty where it has none.
        custom_config: ExampleGen's.

    Returns:
        `span_window`: the files to read, `ReadWindow` as JSON; and `input_fingerprint`: a digest
        of their names, sizes and times.

    Raises:
        UserInputError: No file matches, or a span lacks files.
    """
    properties: dict[str, Any] = {
        standard_component_specs.INPUT_BASE_KEY: input_base,
        standard_component_specs.INPUT_CONFIG_KEY: input_config,
        standard_component_specs.RANGE_CONFIG_KEY: range_config,
        standard_component_specs.CUSTOM_CONFIG_KEY: custom_config,
    }
    window = resolve_window(properties)
    return {"span_window": window.to_json(), "input_fingerprint": window.fingerprint}


@component
def WriteSchema(  # noqa: N802 - TFX names a component as a class.
    content: Parameter[str], schema: OutputArtifact[Schema]
) -> None:
    """Writes the curated schema, which travels in the pipeline's specification.

    Args:
        content: The schema in protobuf's text format.
        schema: Where to.
    """
    # A fault in it is told of here, not by all who read it.
    text_format.Parse(content, schema_pb2.Schema())
    io_utils.write_string_file(f"{schema.uri}/{SCHEMA_FILE}", content)


@component
def ServedModel(  # noqa: N802 - TFX names a component as a class.
    push_root: Parameter[str], model_name: Parameter[str], model: OutputArtifact[Model]
) -> None:
    """Takes the model that is served by default now: blessed, and with its threshold inside.

    It is copied, as a later push may remove it.

    Args:
        push_root: The push directory.
        model_name: Folder of the model in it.
        model: Where to; marked as absent where nothing was pushed yet.
    """
    directory = Path(push_root, model_name)
    if not list_versions(directory):
        model.set_int_custom_property(ABSENT_PROPERTY, 1)
        io_utils.write_string_file(f"{model.uri}/{NO_MODEL_FILE}", f"{directory} has no version\n")
        return
    version = directory / str(served_version(directory))
    io_utils.copy_dir(str(version), path_utils.serving_model_dir(model.uri))
    model.set_string_custom_property("served_version", version.name)
