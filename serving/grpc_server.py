"""KServe's gRPC server, with TensorFlow Serving's services beside its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc import aio
from grpc_interceptor.exceptions import GrpcException
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor
from kserve.protocol.grpc.server import GRPCServer
from kserve.protocol.grpc.servicer import InferenceServicer
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.errors import InvalidRequestError, RequestError
from serving.open_inference import ReadOnlyRepositoryExtension, versioned_name
from serving.settings import ServerSettings
from serving.tf_serving_grpc import ModelService, PredictionService
from serving.watched_directory import PushDirectory

_RPCS_IN_HAND = 1024
"""gRPC answers RESOURCE_EXHAUSTED beyond."""


class GrpcServer(GRPCServer):
    """KServe's gRPC server with TensorFlow Serving's services beside its own."""

    def __init__(
        self,
        data_plane: DataPlane,
        extension: ReadOnlyRepositoryExtension,
        directory: PushDirectory,
        settings: ServerSettings,
    ) -> None:
        super().__init__(settings.grpc_port, data_plane, extension, kwargs={})
        self._directory = directory
        self._settings = settings
        self._server = aio.server(
            ThreadPoolExecutor(max_workers=1),
            maximum_concurrent_rpcs=_RPCS_IN_HAND,
            interceptors=(ExceptionToStatusInterceptor(), RequestErrorInterceptor()),
            options=[
                ("grpc.max_receive_message_length", settings.body_bytes),
                ("grpc.max_send_message_length", -1),
                # Two servers on one port would share the requests without a word.
                ("grpc.so_reuseport", 0),
            ],
        )
        grpc_predict_v2_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
            VersionedInferenceServicer(data_plane, extension), self._server
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(directory), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(directory), self._server
        )

    def bind(self, address: str) -> int:
        """Takes the port and returns its number.

        Raises:
            RuntimeError: It cannot be had.
        """
        return int(self._server.add_insecure_port(address))

    async def start(self, max_workers: int = 1) -> None:
        """Serves until `stop` is called."""
        await self._server.start()
        await self._server.wait_for_termination()


class VersionedInferenceServicer(InferenceServicer):
    """KServe's servicer, which knows no versions, with the version made part of the name."""

    async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Tells whether a model or version can answer."""
        request.name = versioned_name(request.name, request.version)
        return await super().ModelReady(request, context)

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Describes the default signature."""
        request.name = versioned_name(request.name, request.version)
        return await super().ModelMetadata(request, context)

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answers with the outputs."""
        request.model_name = versioned_name(request.model_name, request.model_version)
        return await super().ModelInfer(request, context)


class RequestErrorInterceptor(aio.ServerInterceptor):
    """Gives a client's mistakes their status, bytes that are no message among them."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Any],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wraps the method's handler."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler

        async def answer(content: bytes, context: Any) -> Any:
            try:
                try:
                    request = handler.request_deserializer(content)
                except Exception as error:
                    # Left to gRPC, this would be told as a fault of the server.
                    raise InvalidRequestError(
                        f"the request cannot be decoded: {error or 'it is cut off or garbled'}"
                    ) from error
                return await handler.unary_unary(request, context)
            except RequestError as error:
                raise GrpcException(status_code=error.grpc, details=error.reason) from error

        return grpc.unary_unary_rpc_method_handler(
            answer, response_serializer=handler.response_serializer
        )
