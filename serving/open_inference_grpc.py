"""The Open Inference Protocol v2 over gRPC, through KServe's messages."""

import math
from typing import Any

from kserve import InferRequest, InferResponse
from kserve.errors import InvalidInput
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc import grpc_predict_v2_pb2 as v2
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.utils.utils import to_headers

from serving import metrics
from serving.errors import InvalidRequestError, RequestError
from serving.grpc_intake import Intake
from serving.open_inference import (
    PROTOCOL,
    OpenInferenceModel,
    ReadOnlyRepositoryExtension,
    versioned_name,
)
from serving.open_inference_tensors import check_declared, signature_name

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
        data_plane: Answers the requests.
        extension: Refuses to load and unload models.
        intake: Converts large tensors.
    """

    def __init__(
        self, data_plane: DataPlane, extension: ReadOnlyRepositoryExtension, intake: Intake
    ) -> None:
        super().__init__(data_plane, extension)
        self._intake = intake

    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Reports whether a model or version can answer."""
        request.name = versioned_name(request.name, request.version)
        return await super().ModelReady(request, context)

    async def ModelMetadata(  # noqa: N802
        self, request: v2.ModelMetadataRequest, context: Any
    ) -> v2.ModelMetadataResponse:
        """Returns inputs and outputs of the default signature."""
        name = versioned_name(request.name, request.version)
        return v2.ModelMetadataResponse(**await self._data_plane.model_metadata(name))

    async def ModelInfer(  # noqa: N802
        self, request: v2.ModelInferRequest, context: Any
    ) -> v2.ModelInferResponse:
        """Returns the outputs."""
        name = versioned_name(request.model_name, request.model_version)
        model = self._data_plane.get_model_from_registry(name)
        assert isinstance(model, OpenInferenceModel)
        try:
            self.validate_grpc_request(request)
            _check_contents(request, model)
        except (RequestError, InvalidInput):
            metrics.REQUESTS.labels(model.name, PROTOCOL, "INVALID_ARGUMENT").inc()
            raise
        request.model_name = name
        size = sum(4 * math.prod(given.shape[:8]) for given in request.inputs)
        asked = await self._intake.convert(size, InferRequest.from_grpc, request)
        answer, _ = await self._data_plane.infer(
            request=asked, headers=to_headers(context), model_name=name
        )
        assert isinstance(answer, InferResponse)
        size = sum(4 * math.prod(output.shape) for output in answer.outputs)
        return await self._intake.convert(size, answer.to_grpc)


def _check_contents(request: v2.ModelInferRequest, model: OpenInferenceModel) -> None:
    """Compares each declared shape with the signature's and with the amount of data."""
    signature = model.version.signature(signature_name(request.parameters))
    for position, given in enumerate(request.inputs):
        spec = check_declared(signature, given.name, given.datatype, given.shape, model.most_rows)
        declared = math.prod(given.shape)
        if not request.raw_input_contents:
            found, expected = len(getattr(given.contents, _FIELDS[given.datatype])), declared
        elif given.datatype != "BYTES":
            found = len(request.raw_input_contents[position])
            expected = declared * spec.dtype.itemsize
        else:
            continue
        if found != expected:
            unit = "bytes" if request.raw_input_contents else "values"
            raise InvalidRequestError(
                f"input {given.name!r}: the data does not make a tensor of shape "
                f"{list(given.shape)}: {found} {unit} instead of {expected}"
            )
