"""Errors of a request: their statuses over HTTP and gRPC, how they are answered and logged."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from grpc import StatusCode
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

_LOG = logging.getLogger(__name__)

_REASON_CHARACTERS = 1000
"""A gRPC status travels in headers, of which clients accept 8 KiB; the reason may quote a name of
any length from the request."""

LOADED_BY_PUSH = "models are loaded and unloaded as the push directory says, not on request"


class RequestError(Exception):
    """A request that is not answered with a prediction; the message is one sentence for the client.

    Attributes:
        http: Status of the HTTP answer.
        grpc: Status of the gRPC answer.
    """

    http: HTTPStatus
    grpc: StatusCode

    def __init_subclass__(cls, http: HTTPStatus, grpc: StatusCode, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.http, cls.grpc = http, grpc


class InvalidRequestError(
    RequestError, http=HTTPStatus.BAD_REQUEST, grpc=StatusCode.INVALID_ARGUMENT
):
    """The request's form or values are wrong."""


class NotServedError(RequestError, http=HTTPStatus.NOT_FOUND, grpc=StatusCode.NOT_FOUND):
    """There is no such model, version or label."""


class UnimplementedError(
    RequestError, http=HTTPStatus.NOT_IMPLEMENTED, grpc=StatusCode.UNIMPLEMENTED
):
    """The method is not served."""


class OverloadedError(
    RequestError, http=HTTPStatus.SERVICE_UNAVAILABLE, grpc=StatusCode.UNAVAILABLE
):
    """The queue is full; the client may try again."""


class SlowBodyError(
    RequestError, http=HTTPStatus.REQUEST_TIMEOUT, grpc=StatusCode.DEADLINE_EXCEEDED
):
    """The body takes too long to arrive."""


class EncodingError(
    RequestError, http=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, grpc=StatusCode.UNIMPLEMENTED
):
    """The body is compressed in a way that is not supported."""


class TooLargeError(
    RequestError, http=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, grpc=StatusCode.RESOURCE_EXHAUSTED
):
    """The body is above the limit, or holds more examples than may wait."""


class TooMuchInHandError(
    RequestError, http=HTTPStatus.SERVICE_UNAVAILABLE, grpc=StatusCode.RESOURCE_EXHAUSTED
):
    """The requests in hand leave no memory for one more; the client may try again."""


def too_many_examples(examples: int, most: int) -> TooLargeError:
    """Returns the error for a request with more examples than may wait.

    Args:
        examples: Those of the request.
        most: Those that one request may have.
    """
    return TooLargeError(
        f"the request has {examples} examples and the server takes {most} at a time "
        "(--queue-rows): send them in several requests"
    )


_GRPC_STATUS_OF_KSERVE: Mapping[type[Exception], StatusCode] = {
    InferenceError: StatusCode.INVALID_ARGUMENT,
    InvalidInput: StatusCode.INVALID_ARGUMENT,
    ModelNotFound: StatusCode.NOT_FOUND,
    ModelNotReady: StatusCode.UNAVAILABLE,
}

_CLIENT_MISTAKES = (
    RequestError,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    ServerNotReady,
    NotImplementedError,
)


def grpc_status(error: Exception, method: str) -> tuple[StatusCode, str]:
    """Returns the status and the reason for a client; logs an error that is a bug of the server.

    Args:
        error: What the handler raised.
        method: Name of the gRPC method, for the log.
    """
    if isinstance(error, RequestError):
        return error.grpc, str(error)[:_REASON_CHARACTERS]
    code = _GRPC_STATUS_OF_KSERVE.get(type(error))
    if code is not None:
        return code, str(error)[:_REASON_CHARACTERS]
    _LOG.error("%s", method, exc_info=error)
    return StatusCode.INTERNAL, "internal error"


async def _request_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return JSONResponse({"error": str(error)}, error.http)


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
