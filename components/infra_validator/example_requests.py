"""Requests from the examples that the candidate was judged by."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.utils import io_utils

from components.infra_validator.fault import CandidateFault


def read_examples(examples: list[Artifact], count: int) -> list[bytes]:
    """Reads the first examples of the eval split.

    TFX's own `request_builder` draws them at random, and a refusal could not be repeated.

    Args:
        examples: Raw examples with the split `eval`.
        count: How many; fewer where the split holds fewer.

    Returns:
        Serialized tf.Examples.

    Raises:
        ValueError: The split is empty.
    """
    records = list(islice(_records(examples), count))
    if not records:
        raise ValueError("the eval split holds no example to ask the candidate about")
    return records


def serialized_input(record: bytes, signature: meta_graph_pb2.SignatureDef) -> dict[str, Any]:
    """Returns one example as the input of a signature that parses it: string [1], by name.

    Raises:
        CandidateFault: The signature takes something else.
    """
    name, tensor = _only_input(signature)
    if tensor.dtype != tf.string.as_datatype_enum:
        raise CandidateFault(f"its input {name!r} is not a serialized tf.Example")
    return {name: [record]}


def raw_input(record: bytes, signature: meta_graph_pb2.SignatureDef) -> dict[str, Any]:
    """Returns the same example as the input of a signature that takes the raw feature.

    Args:
        record: Serialized tf.Example; the feature holds floats, or the bytes of a uint8 image.
        signature: With one float32 input [N, *shape], named like the feature.

    Returns:
        float32 [1, *shape], by name.

    Raises:
        CandidateFault: The example does not hold such a feature.
    """
    name, tensor = _only_input(signature)
    shape = [dimension.size for dimension in tensor.tensor_shape.dim[1:]]
    feature = tf.train.Example.FromString(record).features.feature[name]
    values = (
        np.frombuffer(b"".join(feature.bytes_list.value), np.uint8)
        if feature.WhichOneof("kind") == "bytes_list"
        else np.array(feature.float_list.value)
    )
    try:
        return {name: values.astype(np.float32).reshape((1, *shape))}
    except ValueError as error:
        raise CandidateFault(
            f"its input {name!r} has the shape {shape}, and an example holds {values.size} values"
        ) from error


def _only_input(
    signature: meta_graph_pb2.SignatureDef,
) -> tuple[str, meta_graph_pb2.TensorInfo]:
    if len(signature.inputs) != 1:
        raise CandidateFault(f"its inputs are {sorted(signature.inputs)}: expected one")
    ((name, tensor),) = signature.inputs.items()
    return name, tensor


def _records(examples: list[Artifact]) -> Iterator[bytes]:
    for uri in artifact_utils.get_split_uris(examples, "eval"):
        for path in sorted(fileio.glob(io_utils.all_files_pattern(uri))):
            compression = "GZIP" if path.endswith(".gz") else ""
            for record in tf.data.TFRecordDataset(path, compression):
                yield record.numpy()
