"""KServe's HTTP and gRPC servers, with TensorFlow Serving's surface beside their own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from socket import socket
from typing import Any

import grpc
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from grpc import aio
from grpc_interceptor.exceptions import GrpcException
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor
from kserve.protocol.grpc.server import GRPCServer
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.rest.server import RESTServer
from kserve.protocol.rest.v2_datamodels import InferenceRequest
from kserve.protocol.rest.v2_endpoints import V2Endpoints
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.body_limit import BodyLimit
from serving.errors import InvalidRequestError, RequestError
from serving.open_inference import ReadOnlyRepositoryExtension, versioned_name
from serving.push_directory import PushDirectory
from serving.settings import ServerSettings
from serving.tf_serving_grpc import ModelService, PredictionService
from serving.tf_serving_rest import tf_serving_routes

_BODIES_IN_HAND = 4
"""Bodies of the largest size that are held at the same time; of small ones it is thousands."""

_RPCS_IN_HAND = 1024
"""gRPC answers RESOURCE_EXHAUSTED beyond."""


class HttpServer(RESTServer):
    """KServe's HTTP server on a socket that is bound already."""

    def __init__(
        self,
        data_plane: DataPlane,
        extension: ReadOnlyRepositoryExtension,
        directory: PushDirectory,
        settings: ServerSettings,
        bound: socket,
    ) -> None:
        super().__init__("kserve.model_server:app", data_plane, extension, bound.getsockname()[1])
        # A line for each request would cost more than the request.
        self.config.access_log = False
        self._directory = directory
        self._settings = settings
        self._bound = bound

    async def start(self) -> None:
        """Serves until the process is told to stop."""
        self.create_application()
        await self._server.serve(sockets=[self._bound])

    def _register_endpoints(self, app: FastAPI) -> None:
        # The first route that matches answers, so these come before KServe's.
        app.router.routes.extend(tf_serving_routes(self._directory))
        _add_versioned_routes(app, V2Endpoints(self.dataplane, self.model_repository_extension))
        super()._register_endpoints(app)

    def _add_exception_handlers(self, app: FastAPI) -> None:
        super()._add_exception_handlers(app)
        app.add_exception_handler(RequestError, _answer_request_error)
        app.add_exception_handler(RequestValidationError, _answer_validation_error)
        app.add_exception_handler(HTTPException, _answer_http_exception)

    def _add_middlewares(self, app: FastAPI) -> None:
        # KServe's own middleware times requests for a log that is off here.
        app.add_middleware(
            BodyLimit,
            limit=self._settings.body_bytes,
            held_limit=_BODIES_IN_HAND * self._settings.body_bytes,
        )


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


def _add_versioned_routes(app: FastAPI, endpoints: V2Endpoints) -> None:
    """Routes with a version, which KServe's own answer with 501."""
    path = "/v2/models/{model_name}/versions/{model_version}"

    async def metadata(model_name: str, model_version: str) -> Any:
        return await endpoints.model_metadata(versioned_name(model_name, model_version))

    async def ready(model_name: str, model_version: str) -> Any:
        return await endpoints.model_ready(versioned_name(model_name, model_version))

    async def infer(
        raw_request: Request,
        raw_response: Response,
        model_name: str,
        model_version: str,
        request_body: InferenceRequest | bytes,
    ) -> Any:
        name = versioned_name(model_name, model_version)
        return await endpoints.infer(raw_request, raw_response, name, request_body)

    app.add_api_route(path, metadata, methods=["GET"])
    app.add_api_route(f"{path}/ready", ready, methods=["GET"])
    app.add_api_route(f"{path}/infer", infer, methods=["POST"], response_model=None)


async def _answer_request_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return JSONResponse({"error": error.reason}, error.http)


async def _answer_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return JSONResponse({"error": f"{where}: {first['msg']}"}, HTTPStatus.BAD_REQUEST)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = f"{request.method} {request.url.path}: {error.detail}"
    return JSONResponse({"error": reason}, error.status_code, headers=error.headers)
