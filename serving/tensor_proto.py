"""TensorProto to array and back; an array never takes more memory than its message."""

import math
import re

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving.errors import InvalidRequestError
from serving.tensors import STRING, TensorSpec, check_shape

_FIELDS = {
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.int32: "int_val",
    tf.int64: "int64_val",
    tf.uint8: "int_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
}

_PADDED_ELEMENTS = 1024
"""TensorFlow repeats the last value up to the declared shape; this is the largest such array."""

_PACKED = {np.dtype(np.float32): "float_val", np.dtype(np.float64): "double_val"}
"""Types with the same bytes in a message as in memory."""


def read_tensor(spec: TensorSpec, tensor: tensor_pb2.TensorProto, most_rows: int) -> np.ndarray:
    """Returns the array in a message; its shape is checked before the array is made.

    Args:
        spec: What the signature takes.
        tensor: The message.
        most_rows: Bound of its first axis, `--queue-rows` of the server.

    Raises:
        InvalidRequestError: Type or shape is not the signature's, or the content is less or more
            than the shape declares.
        TooLargeError: The first axis is longer than `most_rows`.
    """
    try:
        dtype = tf.as_dtype(tensor.dtype)
    except TypeError as error:
        raise InvalidRequestError(f"input {spec.name!r}: not a tensor: {_line(error)}") from error
    given = STRING if dtype == tf.string else np.dtype(dtype.as_numpy_dtype)
    if given != spec.dtype:
        raise InvalidRequestError(f"input {spec.name!r}: expected {spec}, got {given.name}")
    if tensor.tensor_shape.unknown_rank or len(tensor.tensor_shape.dim) != len(spec.shape):
        shape = [size.size for size in tensor.tensor_shape.dim[:8]]
        raise InvalidRequestError(f"input {spec.name!r}: expected {spec}, got shape {shape}")
    shape = [size.size for size in tensor.tensor_shape.dim]
    check_shape(spec, shape, most_rows)
    _check_content(spec, tensor, dtype, shape)
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, given).reshape(shape)
    try:
        array: np.ndarray = tf.make_ndarray(tensor)
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidRequestError(f"input {spec.name!r}: not a tensor: {_line(error)}") from error
    return array


def write_tensor(array: np.ndarray, tensor: tensor_pb2.TensorProto) -> None:
    """Writes an array as TensorFlow Serving does: in the typed field, which some clients read.

    Args:
        array: The array.
        tensor: An empty message.
    """
    dtype = tf.as_dtype(array.dtype)
    tensor.dtype = dtype.as_datatype_enum
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    packed = _PACKED.get(array.dtype)
    if packed is not None and array.size:
        # Python numbers would take ten times the memory, and most of the time.
        tensor.MergeFromString(_packed_field(packed, array))
    else:
        getattr(tensor, _FIELDS[dtype]).extend(array.ravel().tolist())


def _check_content(
    spec: TensorSpec, tensor: tensor_pb2.TensorProto, dtype: tf.DType, shape: list[int]
) -> None:
    declared = math.prod(shape)
    if tensor.tensor_content:
        if spec.dtype == STRING:
            raise InvalidRequestError(
                f"input {spec.name!r}: not a tensor: strings come in string_val, not tensor_content"
            )
        if len(tensor.tensor_content) != declared * spec.dtype.itemsize:
            raise InvalidRequestError(
                f"input {spec.name!r}: not a tensor: shape {shape} of {spec.type_name} takes "
                f"{declared * spec.dtype.itemsize} bytes of tensor_content, got "
                f"{len(tensor.tensor_content)}"
            )
        return
    field = _FIELDS.get(dtype)
    if field is None:
        raise InvalidRequestError(
            f"input {spec.name!r}: {spec.type_name} is taken in tensor_content only"
        )
    count = len(getattr(tensor, field))
    # TensorFlow repeats the last value if there are fewer values than elements.
    if count > declared or (count < declared and declared > _PADDED_ELEMENTS):
        raise InvalidRequestError(
            f"input {spec.name!r}: not a tensor: shape {shape} has {declared} elements, got "
            f"{count} in {field}"
        )


def _packed_field(name: str, array: np.ndarray) -> bytes:
    """Returns a packed repeated field in wire format: tag, length in bytes, values."""
    values = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    number = tensor_pb2.TensorProto.DESCRIPTOR.fields_by_name[name].number
    return bytes([number << 3 | 2]) + _varint(len(values)) + values


def _varint(value: int) -> bytes:
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)


def _line(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))
