"""Requests from the examples that the candidate was judged by."""

from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from components.infra_validator.fault import CandidateFault
from components.raw_examples import raw_values


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
    values = raw_values(record, name)
    try:
        return {name: values.reshape((1, *shape))}
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
