"""KServe's HTTP server, with TensorFlow Serving's surface beside its own."""

from http import HTTPStatus
from socket import socket
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.server import RESTServer
from kserve.protocol.rest.v2_datamodels import InferenceRequest
from kserve.protocol.rest.v2_endpoints import V2Endpoints
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from serving.body_limit import BodyLimit
from serving.errors import RequestError
from serving.http_connection import HttpConnection
from serving.open_inference import ReadOnlyRepositoryExtension, versioned_name
from serving.settings import ServerSettings
from serving.tf_serving_rest import tf_serving_routes
from serving.watched_directory import PushDirectory

_BODIES_IN_HAND = 4
"""Bodies of the largest size that are held at the same time; of small ones it is thousands."""


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
        self.config.http = HttpConnection
        self.config.ws = "none"
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
