"""The gRPC server: services of both protocols and health checking, bounds and errors.

Each request passes `RequestHandling`, which receives it within bounds and answers its errors.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.errors import InvalidRequestError, NotServedError, UnimplementedError, grpc_status
from serving.grpc_intake import Intake
from serving.open_inference import PushDirectoryDataPlane
from serving.open_inference_grpc import VersionedInferenceServicer
from serving.settings import ServerSettings
from serving.tf_serving_grpc import ModelService, PredictionService
from serving.watched_directory import PushDirectory

_RPCS_IN_HAND = 1024
"""gRPC answers RESOURCE_EXHAUSTED beyond."""

_MESSAGES_IN_MEMORY = 4
"""Messages of the largest size that may be in memory; of small ones it is thousands."""


_GRACE_SECONDS = 30
"""How long requests in hand may take once the server ends; KServe's HTTP server has the same."""

_SERVICES = (
    "",
    "inference.GRPCInferenceService",
    "tensorflow.serving.ModelService",
    "tensorflow.serving.PredictionService",
)
"""Names of the whole server."""

_WATCH_SECONDS = 0.5

_Status = health_pb2.HealthCheckResponse


class GrpcServer:
    """The gRPC server: KServe's services, TensorFlow Serving's, and gRPC's health checking.

    Args:
        data_plane: The models.
        settings: Settings of the server.
    """

    def __init__(self, data_plane: PushDirectoryDataPlane, settings: ServerSettings) -> None:
        intake = Intake(
            held_bytes=_MESSAGES_IN_MEMORY * settings.body_bytes,
            executor=ThreadPoolExecutor(1, thread_name_prefix="grpc-large"),
        )
        self._health = ModelHealth(data_plane.directory)
        self._server = aio.server(
            ThreadPoolExecutor(max_workers=1),
            maximum_concurrent_rpcs=_RPCS_IN_HAND,
            interceptors=(RequestHandling(intake),),
            options=[
                ("grpc.max_receive_message_length", settings.body_bytes),
                ("grpc.max_send_message_length", -1),
                # Otherwise two servers could silently share one port.
                ("grpc.so_reuseport", 0),
            ],
        )
        grpc_predict_v2_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
            VersionedInferenceServicer(data_plane, intake), self._server
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(data_plane.directory, intake), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(data_plane.directory), self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def bind(self, address: str) -> int:
        """Binds the port and returns its number.

        Raises:
            RuntimeError: The port is not available.
        """
        return int(self._server.add_insecure_port(address))

    async def start(self) -> None:
        """Serves until `stop` is called."""
        await self._server.start()
        await self._server.wait_for_termination()

    async def stop(self) -> None:
        """Refuses new requests; ends after those in hand, or after the grace period."""
        self._health.stop()
        await self._server.stop(_GRACE_SECONDS)


class RequestHandling(aio.ServerInterceptor):
    """Receives each request within bounds, decodes it, and answers errors with their status.

    Args:
        intake: The bounds.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Any],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wraps the method's handler."""
        handler = await continuation(handler_call_details)
        if handler is not None and handler.unary_unary is None:
            return handler

        async def answer(_: Any, context: Any) -> Any:
            try:
                if handler is None:
                    raise UnimplementedError(f"{handler_call_details.method} is not served")
                return await self._answer(handler, context)
            except Exception as error:
                code, reason = grpc_status(error, handler_call_details.method)
            # `abort` raises, and gRPC keeps the error with its frame: nothing large may be in it.
            await context.abort(code, reason)

        # As a stream of one message: gRPC calls a method of one message only once all of it has
        # arrived, without any bound on memory.
        return grpc.stream_unary_rpc_method_handler(
            answer, response_serializer=getattr(handler, "response_serializer", None)
        )

    async def _answer(self, handler: grpc.RpcMethodHandler, context: Any) -> Any:
        content = await self._intake.receive(context)
        size = len(content)
        with self._intake.hold(size):
            request = await self._intake.convert(
                size, _decoded, handler.request_deserializer, content
            )
            del content
            return await handler.unary_unary(request, context)


def _decoded(deserializer: Callable[[bytes], Any], content: bytes) -> Any:
    try:
        return deserializer(content)
    except Exception as error:
        # gRPC itself would answer that the server has an error.
        raise InvalidRequestError(
            f"the request cannot be decoded: {error or 'it is cut off or garbled'}"
        ) from error


class ModelHealth(health_pb2_grpc.HealthServicer):
    """Health of the server, which serves if one of its models does, and of each model.

    Args:
        directory: The models; a request may name one.
    """

    def __init__(self, directory: PushDirectory) -> None:
        self._directory = directory
        self._stopping = asyncio.Event()

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> health_pb2.HealthCheckResponse:
        """Returns the status of the server or of a model.

        Raises:
            NotServedError: There is no such model.
        """
        status = self._status(request.service)
        if status == _Status.SERVICE_UNKNOWN:
            raise NotServedError(f"no model or service {request.service!r}")
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Yields the status now and after each change of it, until the server stops."""
        last = None
        while True:
            status = self._status(request.service)
            if status != last:
                last = status
                yield health_pb2.HealthCheckResponse(status=status)
            if self._stopping.is_set():
                return
            try:
                await asyncio.wait_for(self._stopping.wait(), _WATCH_SECONDS)
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Reports NOT_SERVING from now on, also to those who watch."""
        self._stopping.set()

    def _status(self, service: str) -> int:
        model = self._directory.models.get(service)
        if service in _SERVICES:
            serves = self._directory.ready
        elif model is not None:
            serves = model.default is not None
        else:
            return int(_Status.SERVICE_UNKNOWN)
        return int(
            _Status.SERVING if serves and not self._stopping.is_set() else _Status.NOT_SERVING
        )
