"""The curated schema of a pipeline, with the sizes of its config."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.schema import SCHEMA_DIRECTORY
from serving.push_directory import durable_files


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
    for entry in schema.feature:
        if entry.name == feature and entry.type == schema_pb2.FLOAT:
            del entry.shape.dim[:]
            entry.shape.dim.add(size=math.prod(shape))
    return schema


def write_curated_schema(name: str, *, feature: str, shape: Sequence[int], directory: Path) -> Path:
    """Writes `curated_schema(...)` where ImportSchemaGen can read it.

    The file's name carries a digest of its content: ImportSchemaGen is cached by path, so an
    edited schema must be another path.

    Returns:
        Path of the written `.pbtxt` file.
    """
    text = text_format.MessageToString(curated_schema(name, feature=feature, shape=shape))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    path = directory / f"{Path(name).stem}-{digest}.pbtxt"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        durable_files.write_text(path, text)
    return path
