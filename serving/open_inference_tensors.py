"""Tensors of the Open Inference Protocol to arrays and back, through KServe's messages."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from kserve import InferInput, InferOutput
from kserve.errors import InvalidInput
from kserve.utils.utils import from_np_dtype

from serving.errors import InvalidRequestError
from serving.loaded_version import Signature
from serving.tensors import STRING, TensorSpec, check_shape, numbers

_SIGNATURE_PARAMETER = "signature_name"


def signature_name(parameters: Mapping[str, Any] | None) -> str | None:
    """Returns the signature that a request's parameters name, None if they name none.

    Args:
        parameters: Those of an HTTP or a gRPC request.

    Raises:
        InvalidRequestError: The parameter is not text.
    """
    value = (parameters or {}).get(_SIGNATURE_PARAMETER)
    # Over gRPC a parameter is a message with one of three fields.
    text = getattr(value, "string_param", value)
    if text is not None and not isinstance(text, str):
        raise InvalidRequestError(f"parameter {_SIGNATURE_PARAMETER}: expected text")
    return text or None


def check_declared(
    signature: Signature, name: str, datatype: str, shape: Sequence[int], most_rows: int
) -> TensorSpec:
    """Checks what a request declares of an input, before an array of it is made.

    Returns:
        What the signature takes for that input.

    Raises:
        InvalidRequestError: The signature has no such input, or takes another type or shape.
        TooLargeError: There are more than `most_rows` examples.
    """
    spec = signature.inputs.get(name)
    if spec is None:
        raise InvalidRequestError(f"no input {name!r}; there is {', '.join(signature.inputs)}")
    if datatype != _datatype(spec):
        raise InvalidRequestError(
            f"input {name!r}: expected datatype {_datatype(spec)}, got {datatype}"
        )
    check_shape(spec, shape, most_rows)
    return spec


def read_tensor(given: InferInput, spec: TensorSpec) -> np.ndarray:
    """Returns the array of an input whose declared shape has been checked.

    Raises:
        InvalidRequestError: The data does not have that shape or type.
    """
    shape = list(given.shape)
    try:
        if given._raw_data is not None:
            array = given.as_numpy()
        elif len(given.data) > math.prod(shape):
            raise ValueError(f"{len(given.data)} values")
        elif spec.dtype == STRING:
            array = given.as_numpy()
        else:
            array = numbers(spec, given.data).reshape(shape)
    except (ValueError, TypeError, InvalidInput) as error:
        raise InvalidRequestError(
            f"input {given.name!r}: the data does not make a tensor of shape {shape}: {error}"
        ) from error
    return _as_bytes(array) if spec.dtype == STRING else array


def _as_bytes(array: np.ndarray) -> np.ndarray:
    values = [v.encode() if isinstance(v, str) else bytes(v) for v in array.ravel().tolist()]
    strings = np.empty(len(values), STRING)
    strings[:] = values
    return strings.reshape(array.shape)


def write_tensor(name: str, array: np.ndarray, binary: bool) -> InferOutput:
    """Returns an output, as binary data or as JSON values."""
    output = InferOutput(name=name, shape=list(array.shape), datatype=from_np_dtype(array.dtype))
    if binary or array.dtype == STRING:
        output.set_data_from_numpy(array, binary_data=binary)
    else:
        output.data = array.ravel().tolist()
    return output


def described(spec: TensorSpec) -> dict[str, Any]:
    """Returns a tensor's metadata."""
    shape = [-1 if size is None else size for size in spec.shape]
    return {"name": spec.name, "datatype": _datatype(spec), "shape": shape}


def _datatype(spec: TensorSpec) -> str:
    return "BYTES" if spec.dtype == STRING else str(from_np_dtype(spec.dtype))
