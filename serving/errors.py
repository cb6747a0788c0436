"""What a client did wrong, with the status that each protocol has for it."""

from http import HTTPStatus

from grpc import StatusCode


class RequestError(Exception):
    """A request that is not answered with a prediction.

    Attributes:
        http: Status of the HTTP answer.
        grpc: Status of the gRPC answer.

    Args:
        reason: One sentence for the client.
    """

    http = HTTPStatus.INTERNAL_SERVER_ERROR
    grpc = StatusCode.INTERNAL

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidRequestError(RequestError):
    """The request's form or values are wrong: 400, INVALID_ARGUMENT."""

    http = HTTPStatus.BAD_REQUEST
    grpc = StatusCode.INVALID_ARGUMENT


class NotServedError(RequestError):
    """There is no such model, version or label: 404, NOT_FOUND."""

    http = HTTPStatus.NOT_FOUND
    grpc = StatusCode.NOT_FOUND


class OverloadedError(RequestError):
    """The queue is full; the client may try again: 503, UNAVAILABLE."""

    http = HTTPStatus.SERVICE_UNAVAILABLE
    grpc = StatusCode.UNAVAILABLE


class SlowBodyError(RequestError):
    """The body takes too long to arrive: 408, DEADLINE_EXCEEDED."""

    http = HTTPStatus.REQUEST_TIMEOUT
    grpc = StatusCode.DEADLINE_EXCEEDED


class EncodingError(RequestError):
    """The body is compressed in a way that is not read: 415, UNIMPLEMENTED."""

    http = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    grpc = StatusCode.UNIMPLEMENTED


class BodyTooLargeError(RequestError):
    """The body is above the limit: 413, RESOURCE_EXHAUSTED."""

    http = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    grpc = StatusCode.RESOURCE_EXHAUSTED


class TooManyExamplesError(RequestError):
    """A request has more examples than may wait: 413, RESOURCE_EXHAUSTED.

    Args:
        examples: Those of the request.
        most: Those that one request may have.
    """

    http = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    grpc = StatusCode.RESOURCE_EXHAUSTED

    def __init__(self, examples: int, most: int) -> None:
        super().__init__(
            f"the request has {examples} examples and the server takes {most} at a time "
            "(--queue-rows): send them in several requests"
        )


class TooMuchInHandError(RequestError):
    """The requests in hand leave no room for one more: 503, RESOURCE_EXHAUSTED."""

    http = HTTPStatus.SERVICE_UNAVAILABLE
    grpc = StatusCode.RESOURCE_EXHAUSTED


class UnimplementedError(RequestError):
    """The method is not served: 501, UNIMPLEMENTED."""

    http = HTTPStatus.NOT_IMPLEMENTED
    grpc = StatusCode.UNIMPLEMENTED
