"""The schema of a pipeline, curated or a user's own, with the sizes of its config."""

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.schema import SCHEMA_DIRECTORY, read_schema
from pipeline_config import ImageData, PipelineConfig, SignalData, UserInputError
from serving.push_directory import durable_files

_SAME_FORM = frozenset(
    {"folder", "pattern", "window", "skip_refused", "split", "held_out", "schema", "sample_rows"}
)
"""Settings of `SignalData` that change nothing about what a row of a file is."""


def curated_schema(name: str, *, feature: str, shape: Sequence[int]) -> schema_pb2.Schema:
    """Reads a curated schema and sets the size of its signal.

    Args:
        name: File name in this folder.
        feature: Raw feature that holds the example, `signal` or `image`.
        shape: Shape of one example. An image is one bytes value whatever its size, so only a
            signal's number of values, over all channels, is written into the schema.

    Returns:
        The schema.
    """
    schema = schema_pb2.Schema()
    text_format.Parse((SCHEMA_DIRECTORY / name).read_text(), schema)
    _set_size(schema, feature, shape)
    return schema


def schema_of(config: PipelineConfig) -> schema_pb2.Schema:
    """Returns the schema that a pipeline's examples are judged by, with the sizes of its config.

    The curated range of a signal's values is that of standardised beats. Signals of another form
    than the tutorial's have units of their own, so only finite values are asked of them.

    Raises:
        UserInputError: The user's own file cannot be read, is no schema, or lacks a feature of the
            curated one.
    """
    feature, shape = config.data.feature, config.data.shape
    curated = curated_schema(config.schema, feature=feature, shape=shape)
    if not config.data.schema:
        if not _is_of_tutorial_form(config.data):
            _lift_range(curated, feature)
        return curated
    path = config.data.schema
    try:
        own = text_format.Parse(read_schema(config), schema_pb2.Schema())
    except text_format.ParseError as error:
        raise UserInputError(
            f"data.schema={path}: not a schema of TFDV as text: line {error}"
        ) from error
    _require_features(own, curated, config)
    _set_size(own, feature, shape)
    return own


def write_schema(config: PipelineConfig, directory: Path) -> Path:
    """Writes `schema_of(config)` where ImportSchemaGen can read it.

    The file's name carries a digest of its content: ImportSchemaGen is cached by path, so an
    edited schema must be another path.

    Returns:
        Path of the written `.pbtxt` file.

    Raises:
        UserInputError: As in `schema_of`.
    """
    text = text_format.MessageToString(schema_of(config))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    stem = Path(config.data.schema or config.schema).stem
    path = directory / f"{stem}-{digest}.pbtxt"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        durable_files.write_text(path, text)
    return path


def _require_features(
    own: schema_pb2.Schema, curated: schema_pb2.Schema, config: PipelineConfig
) -> None:
    kinds = {feature.name: feature.type for feature in own.feature}
    again = f"`aepipe data schema {config.name} --data-dir DIR --out FILE` writes one with all"
    for feature in curated.feature:
        kind = schema_pb2.FeatureType.Name(feature.type)
        if feature.name not in kinds:
            raise UserInputError(
                f"data.schema={config.data.schema}: no feature '{feature.name}', which examples "
                f"have as {kind}; {again}"
            )
        if kinds[feature.name] != feature.type:
            found = schema_pb2.FeatureType.Name(kinds[feature.name])
            raise UserInputError(
                f"data.schema={config.data.schema}: feature '{feature.name}' is of type {found}: "
                f"expected {kind}"
            )
    names = [feature.name for feature in own.feature]
    if twice := [name for name in kinds if names.count(name) > 1]:
        raise UserInputError(
            f"data.schema={config.data.schema}: feature '{twice[0]}' is there twice: remove one"
        )


def _is_of_tutorial_form(data: SignalData | ImageData) -> bool:
    """Returns whether files are read as the tutorial's are, wherever they lie."""
    changed = {
        field.name
        for field in dataclasses.fields(data)
        if getattr(data, field.name) != field.default
    }
    return changed <= _SAME_FORM


def _lift_range(schema: schema_pb2.Schema, feature: str) -> None:
    for entry in schema.feature:
        if entry.name == feature and entry.HasField("float_domain"):
            entry.float_domain.ClearField("min")
            entry.float_domain.ClearField("max")


def _set_size(schema: schema_pb2.Schema, feature: str, shape: Sequence[int]) -> None:
    for entry in schema.feature:
        if entry.name == feature and entry.type == schema_pb2.FLOAT:
            entry.shape.ClearField("dim")
            entry.shape.dim.add(size=math.prod(shape))
