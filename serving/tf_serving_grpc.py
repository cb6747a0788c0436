"""TensorFlow Serving's gRPC services, PredictionService and ModelService, and their tensors.

An array never takes more memory than its message.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving import metrics
from serving.errors import LOADED_BY_PUSH, InvalidRequestError, UnimplementedError
from serving.grpc_intake import Intake
from serving.loaded_version import SERVING_DEFAULT, LoadedVersion
from serving.served_model import ServedModel
from serving.tensors import STRING, Arrays, TensorSpec, check_names, check_shape
from serving.tf_serving_status import SIGNATURE_DEF, model_metadata, model_status
from serving.watched_directory import PushDirectory

_PROTOCOL = "tf_serving_grpc"

_ONLY_PREDICT = "{} is not served: the models have no such signature; call Predict"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """`Predict` and `GetModelMetadata`.

    Args:
        directory: The models.
        intake: Converts large tensors.
    """

    def __init__(self, directory: PushDirectory, intake: Intake) -> None:
        self._directory = directory
        self._intake = intake

    async def Predict(  # noqa: N802 - the service's name
        self, request: predict_pb2.PredictRequest, context: Any
    ) -> predict_pb2.PredictResponse:
        """Returns the outputs of one signature, or those that `output_filter` names."""
        with metrics.counted(self._directory.known_name(request.model_spec.name), _PROTOCOL):
            return await self._answer(request)

    async def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: Any
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Returns the signatures; `signature_def` is the only metadata field."""
        if list(request.metadata_field) != [SIGNATURE_DEF]:
            raise InvalidRequestError(
                f"metadata_field: expected [{SIGNATURE_DEF!r}], got {list(request.metadata_field)}"
            )
        _, version = _find(self._directory, request.model_spec)
        return model_metadata(version)[0]

    async def _answer(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        model, version = _find(self._directory, request.model_spec)
        signature = version.signature(request.model_spec.signature_name or None)
        wanted = list(request.output_filter) or list(signature.outputs)
        for name in wanted:
            if name not in signature.outputs:
                raise InvalidRequestError(
                    f"output_filter: no output {name!r}; there is {', '.join(signature.outputs)}"
                )
        check_names(signature.inputs, request.inputs)
        size = sum(_declared_bytes(tensor) for tensor in request.inputs.values())
        inputs = await self._intake.convert(
            size, _read, request.inputs, signature.inputs, model.most_rows
        )
        predicted = await model.predict(version, signature, inputs, _PROTOCOL)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = model.name
        response.model_spec.version.value = version.number
        response.model_spec.signature_name = signature.name or SERVING_DEFAULT
        outputs = {name: predicted[name] for name in wanted}
        size = sum(array.nbytes for array in outputs.values())
        await self._intake.convert(size, _write, outputs, response)
        return response

    async def Classify(  # noqa: N802
        self, request: classification_pb2.ClassificationRequest, context: Any
    ) -> classification_pb2.ClassificationResponse:
        """Raises UnimplementedError: an autoencoder has no classes."""
        raise UnimplementedError(_ONLY_PREDICT.format("Classify"))

    async def Regress(  # noqa: N802
        self, request: regression_pb2.RegressionRequest, context: Any
    ) -> regression_pb2.RegressionResponse:
        """Raises UnimplementedError, as `Classify` does."""
        raise UnimplementedError(_ONLY_PREDICT.format("Regress"))

    async def MultiInference(  # noqa: N802
        self, request: inference_pb2.MultiInferenceRequest, context: Any
    ) -> inference_pb2.MultiInferenceResponse:
        """Raises UnimplementedError, as `Classify` does."""
        raise UnimplementedError(_ONLY_PREDICT.format("MultiInference"))


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """`GetModelStatus`; models come from the push directory, so no request can reload them."""

    def __init__(self, directory: PushDirectory) -> None:
        self._directory = directory

    async def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: Any
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Returns the states of all versions, or of the one that is named."""
        model = self._directory.find(request.model_spec.name)
        return model_status(model, *_choice(request.model_spec))

    async def HandleReloadConfigRequest(  # noqa: N802
        self, request: model_management_pb2.ReloadConfigRequest, context: Any
    ) -> model_management_pb2.ReloadConfigResponse:
        """Raises UnimplementedError."""
        raise UnimplementedError(f"HandleReloadConfigRequest is not served: {LOADED_BY_PUSH}")


def _find(directory: PushDirectory, spec: model_pb2.ModelSpec) -> tuple[ServedModel, LoadedVersion]:
    model = directory.find(spec.name)
    return model, model.find(*_choice(spec))


def _choice(spec: model_pb2.ModelSpec) -> tuple[int | None, str | None]:
    chosen = spec.WhichOneof("version_choice")
    return (
        spec.version.value if chosen == "version" else None,
        spec.version_label if chosen == "version_label" else None,
    )


def _declared_bytes(tensor: tensor_pb2.TensorProto) -> int:
    """Returns the bytes of the array that the message declares; it is not checked yet."""
    elements = math.prod(size.size for size in tensor.tensor_shape.dim[:8])
    return 4 * elements + sum(len(value) for value in tensor.string_val)


def _read(
    tensors: Mapping[str, tensor_pb2.TensorProto], specs: Mapping[str, TensorSpec], most_rows: int
) -> dict[str, np.ndarray]:
    return {name: read_tensor(spec, tensors[name], most_rows) for name, spec in specs.items()}


def _write(outputs: Arrays, response: predict_pb2.PredictResponse) -> None:
    for name, array in outputs.items():
        write_tensor(array, response.outputs[name])


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
