"""The Open Inference Protocol v2 over gRPC, through KServe's messages."""

import math
from typing import Any

from kserve import InferRequest
from kserve.errors import InvalidInput
from kserve.protocol.grpc import grpc_predict_v2_pb2 as v2
from kserve.protocol.grpc.servicer import InferenceServicer

from serving import metrics
from serving.errors import InvalidRequestError, RequestError
from serving.grpc_intake import Intake
from serving.open_inference import (
    PROTOCOL,
    OpenInferenceModel,
    PushDirectoryDataPlane,
    ReadOnlyRepositoryExtension,
)

_FIELDS = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


class VersionedInferenceServicer(InferenceServicer):
    """KServe's servicer, with versions; shapes are checked before an array is made.

    Args:
        data_plane: The models.
        intake: Converts large tensors.
    """

    def __init__(self, data_plane: PushDirectoryDataPlane, intake: Intake) -> None:
        super().__init__(data_plane, ReadOnlyRepositoryExtension(data_plane.model_registry))
        self._models = data_plane
        self._intake = intake

    async def ModelReady(  # noqa: N802
        self, request: v2.ModelReadyRequest, context: Any
    ) -> v2.ModelReadyResponse:
        """Reports whether a model or version can answer."""
        model = self._models.find(request.name, request.version)
        return v2.ModelReadyResponse(ready=await model.healthy())

    async def ModelMetadata(  # noqa: N802
        self, request: v2.ModelMetadataRequest, context: Any
    ) -> v2.ModelMetadataResponse:
        """Returns inputs and outputs of the default signature."""
        model = self._models.find(request.name, request.version)
        return v2.ModelMetadataResponse(**model.metadata())

    async def ModelInfer(  # noqa: N802
        self, request: v2.ModelInferRequest, context: Any
    ) -> v2.ModelInferResponse:
        """Returns the outputs."""
        model = self._models.find(request.model_name, request.model_version)
        try:
            self.validate_grpc_request(request)
            _check_contents(request, model)
        except (RequestError, InvalidInput):
            metrics.REQUESTS.labels(model.name, PROTOCOL, "INVALID_ARGUMENT").inc()
            raise
        size = sum(4 * math.prod(given.shape[:8]) for given in request.inputs)
        answer, _ = await model(await self._intake.convert(size, InferRequest.from_grpc, request))
        size = sum(4 * math.prod(output.shape) for output in answer.outputs)
        return await self._intake.convert(size, answer.to_grpc)


def _check_contents(request: v2.ModelInferRequest, model: OpenInferenceModel) -> None:
    """Compares each declared shape with the signature's and with the amount of data."""
    signature = model.check_declared(request.parameters, request.inputs)
    for position, given in enumerate(request.inputs):
        declared = math.prod(given.shape)
        if not request.raw_input_contents:
            found, expected = len(getattr(given.contents, _FIELDS[given.datatype])), declared
        elif given.datatype != "BYTES":
            found = len(request.raw_input_contents[position])
            expected = declared * signature.inputs[given.name].dtype.itemsize
        else:
            continue
        if found != expected:
            unit = "bytes" if request.raw_input_contents else "values"
            raise InvalidRequestError(
                f"input {given.name!r}: the data does not make a tensor of shape "
                f"{list(given.shape)}: {found} {unit} instead of {expected}"
            )
