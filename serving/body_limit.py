"""Bounds on HTTP bodies: on each, and on those that are held at the same time."""

import asyncio
import contextlib

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import BodyTooLargeError, OverloadedError, RequestError

_PATIENCE_SECONDS = 30.0


class BodyLimit:
    """ASGI middleware that answers 413 to a body above the limit, told or found.

    Where the bodies in hand come to more than `held_limit`, it answers 503: many clients with
    allowed bodies must not fill the memory either.

    Args:
        app: What is guarded.
        limit: Bytes of one body.
        held_limit: Bytes of all bodies in hand; one alone is always taken.
    """

    def __init__(self, app: ASGIApp, limit: int, held_limit: int) -> None:
        self._app = app
        self._limit = limit
        self._held_limit = held_limit
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _told_length(scope) > self._limit:
            await _discard(receive)
            await _refuse(self._too_large(), scope, receive, send)
            return
        own = 0

        async def counted() -> Message:
            nonlocal own
            message = await receive()
            size = len(message.get("body", b""))
            others = self._held - own
            own += size
            self._held += size
            if own > self._limit:
                await _discard(receive)
                raise self._too_large()
            if others and self._held > self._held_limit:
                await _discard(receive)
                raise OverloadedError(
                    f"{others} bytes of other requests are in hand: try again later"
                )
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held -= own

    def _too_large(self) -> BodyTooLargeError:
        return BodyTooLargeError(f"the body is larger than {self._limit} bytes")


def _told_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return 0


async def _discard(receive: Receive) -> None:
    """Reads a body to its end without keeping it.

    A client that is still sending when the connection closes sees a reset, not the answer.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while (await receive()).get("more_body", False):
                pass


async def _refuse(error: RequestError, scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"error": error.reason}, error.http)(scope, receive, send)
