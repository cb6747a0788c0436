"""Errors of a request, each with its HTTP status and its gRPC status."""

from http import HTTPStatus
from typing import Any

from grpc import StatusCode


class RequestError(Exception):
    """A request that is not answered with a prediction.

    Attributes:
        http: Status of the HTTP answer.
        grpc: Status of the gRPC answer.

    Args:
        reason: One sentence for the client.
    """

    http: HTTPStatus
    grpc: StatusCode

    def __init_subclass__(cls, http: HTTPStatus, grpc: StatusCode, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.http, cls.grpc = http, grpc

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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


LOADED_BY_PUSH = "models are loaded and unloaded as the push directory says, not on request"


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
