"""How errors are answered over HTTP and over gRPC, and which of them are logged."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import grpc
from fastapi.exceptions import RequestValidationError
from kserve.errors import (
    InferenceError,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    ServerNotReady,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serving.errors import RequestError

_LOG = logging.getLogger(__name__)

_REASON_CHARACTERS = 1000
"""A gRPC status travels in headers, of which clients accept 8 KiB; the reason may quote a name of
any length from the request."""

_GRPC_STATUS_OF_KSERVE: Mapping[type[Exception], grpc.StatusCode] = {
    InferenceError: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    ModelNotFound: grpc.StatusCode.NOT_FOUND,
    ModelNotReady: grpc.StatusCode.UNAVAILABLE,
}

_CLIENT_MISTAKES = (
    RequestError,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    ServerNotReady,
    NotImplementedError,
)


def grpc_status(error: Exception, method: str) -> tuple[grpc.StatusCode, str]:
    """Returns the status and the reason for a client; logs an error that is a bug of the server.

    Args:
        error: What the handler raised.
        method: Name of the gRPC method, for the log.
    """
    if isinstance(error, RequestError):
        return error.grpc, error.reason[:_REASON_CHARACTERS]
    code = _GRPC_STATUS_OF_KSERVE.get(type(error))
    if code is not None:
        return code, str(error)[:_REASON_CHARACTERS]
    _LOG.error("%s", method, exc_info=error)
    return grpc.StatusCode.INTERNAL, "internal error"


async def _request_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return JSONResponse({"error": error.reason}, error.http)


async def _validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    location = ".".join(str(part) for part in first["loc"])
    return JSONResponse({"error": f"{location}: {first['msg']}"}, HTTPStatus.BAD_REQUEST)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    reason = f"{request.method} {request.url.path}: {error.detail}"
    return JSONResponse({"error": reason}, error.status_code, headers=error.headers)


HTTP_HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    RequestError: _request_error,
    RequestValidationError: _validation_error,
    HTTPException: _http_exception,
}
"""Beside KServe's own handlers; each answers with JSON of one key, `error`."""


class WithoutClientMistakes(logging.Filter):
    """Drops the traceback that KServe logs for each request it refuses.

    The client gets the reason and the metrics count the requests; a log that any client can fill
    is of no use.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the record is kept."""
        error = record.exc_info[1] if record.exc_info else None
        cause = error.__cause__ if error else None
        return not isinstance(error, _CLIENT_MISTAKES) and not isinstance(cause, RequestError)
