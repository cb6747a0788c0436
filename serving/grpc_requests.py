"""Each gRPC request: received within bounds, decoded, and its errors given a status."""

import logging
from collections.abc import Callable
from typing import Any

import grpc
from grpc import aio
from kserve.errors import InferenceError, InvalidInput, ModelNotFound, ModelNotReady

from serving.errors import InvalidRequestError, RequestError, UnimplementedError
from serving.grpc_intake import Intake
from serving.open_inference import ManagedByPushDirectoryError

_LOG = logging.getLogger(__name__)

_REASON_CHARACTERS = 1000
"""A status travels in headers, of which clients take 8 KiB; a name in it is the client's own."""

_KSERVE_STATUS: dict[type[Exception], grpc.StatusCode] = {
    InferenceError: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    ModelNotFound: grpc.StatusCode.NOT_FOUND,
    ModelNotReady: grpc.StatusCode.UNAVAILABLE,
    ManagedByPushDirectoryError: grpc.StatusCode.UNIMPLEMENTED,
}


class RequestHandling(aio.ServerInterceptor):
    """Receives each request within bounds, decodes it, and gives errors their status.

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
            except RequestError as error:
                code, reason = error.grpc, error.reason
            except tuple(_KSERVE_STATUS) as error:
                code, reason = _KSERVE_STATUS[type(error)], str(error)
            except Exception:
                _LOG.exception("%s", handler_call_details.method)
                code, reason = grpc.StatusCode.INTERNAL, "internal error"
            # This raises, and gRPC keeps the error with its frame, so nothing large may be in it.
            await context.abort(code, reason[:_REASON_CHARACTERS])

        # As a stream of one message: a method of one message is called only when the message is
        # there, however large it is and however many others are.
        return grpc.stream_unary_rpc_method_handler(
            answer, response_serializer=getattr(handler, "response_serializer", None)
        )

    async def _answer(self, handler: grpc.RpcMethodHandler, context: Any) -> Any:
        content = await self._intake.receive(context)
        size = len(content)
        with self._intake.hold(size):
            request = await self._intake.work(size, _decoded, handler.request_deserializer, content)
            del content
            return await handler.unary_unary(request, context)


def _decoded(deserializer: Callable[[bytes], Any], content: bytes) -> Any:
    try:
        return deserializer(content)
    except Exception as error:
        # Left to gRPC, this would be told as a fault of the server.
        raise InvalidRequestError(
            f"the request cannot be decoded: {error or 'it is cut off or garbled'}"
        ) from error
