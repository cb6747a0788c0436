"""TensorFlow Serving's gRPC services: PredictionService and ModelService."""

import re
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving import metrics
from serving.errors import InvalidRequestError, RequestError
from serving.loaded_version import SERVING_DEFAULT, LoadedVersion
from serving.served_model import ServedModel
from serving.tf_serving_status import SIGNATURE_DEF, model_metadata, model_status
from serving.watched_directory import PushDirectory

_PROTOCOL = "tf_serving_grpc"

_FIELDS = {
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.int32: "int_val",
    tf.int64: "int64_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
}


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """`Predict` and `GetModelMetadata`; the others answer UNIMPLEMENTED, as the stubs do."""

    def __init__(self, directory: PushDirectory) -> None:
        self._directory = directory

    async def Predict(  # noqa: N802 - the service's name
        self, request: predict_pb2.PredictRequest, context: Any
    ) -> predict_pb2.PredictResponse:
        """Answers with the outputs of one signature, or those that `output_filter` names."""
        status = "INTERNAL"
        try:
            response = await self._answer(request)
            status = "OK"
        except RequestError as error:
            status = error.grpc.name
            raise
        finally:
            name = request.model_spec.name
            known = name if name in self._directory.models else "unknown"
            metrics.REQUESTS.labels(known, _PROTOCOL, status).inc()
        return response

    async def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: Any
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Answers with the signatures; `signature_def` is the one field there is."""
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
        inputs = {name: _array(name, value) for name, value in request.inputs.items()}
        prediction = await model.predict(version, signature, inputs, _PROTOCOL)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = model.name
        response.model_spec.version.value = prediction.version
        response.model_spec.signature_name = signature.name or SERVING_DEFAULT
        for name in wanted:
            response.outputs[name].CopyFrom(_tensor(prediction.outputs[name]))
        return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """`GetModelStatus`; models come from the push directory, so no request can reload them."""

    def __init__(self, directory: PushDirectory) -> None:
        self._directory = directory

    async def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest, context: Any
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Answers with the states of all versions, or of the one that is named."""
        model = self._directory.find(request.model_spec.name)
        return model_status(model, *_choice(request.model_spec))


def _find(directory: PushDirectory, spec: model_pb2.ModelSpec) -> tuple[ServedModel, LoadedVersion]:
    model = directory.find(spec.name)
    return model, model.find(*_choice(spec))


def _choice(spec: model_pb2.ModelSpec) -> tuple[int | None, str | None]:
    chosen = spec.WhichOneof("version_choice")
    return (
        spec.version.value if chosen == "version" else None,
        spec.version_label if chosen == "version_label" else None,
    )


def _array(name: str, tensor: tensor_pb2.TensorProto) -> np.ndarray:
    try:
        return tf.make_ndarray(tensor)
    except (TypeError, ValueError, AttributeError) as error:
        reason = re.sub(r"\s+", " ", str(error))
        raise InvalidRequestError(f"input {name!r}: not a tensor: {reason}") from error


def _tensor(array: np.ndarray) -> tensor_pb2.TensorProto:
    """Packs as TensorFlow Serving does: in the typed field, which some clients read directly."""
    dtype = tf.as_dtype(array.dtype)
    tensor = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum)
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    getattr(tensor, _FIELDS[dtype]).extend(array.ravel().tolist())
    return tensor
