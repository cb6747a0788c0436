"""Bounds on HTTP bodies: size of each, memory of all, time of arrival; gzip is decompressed.

Starlette's own body limit bounds the size of each body alone.
"""

import asyncio
import contextlib
import zlib
from concurrent.futures import Executor

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import (
    EncodingError,
    InvalidRequestError,
    OverloadedError,
    RequestError,
    SlowBodyError,
    TooLargeError,
)

BODY_ARRIVED = "aepipe.body_arrived"
"""Key of the ASGI scope: all of the body has arrived."""

_STEP_BYTES = 16 * 2**10
"""A body must have grown by this much, or be complete, whenever its time is over."""

_PATIENCE_SECONDS = 2.0
"""If memory is short, a body that takes longer for a step is refused."""

_LINGER_SECONDS = 30.0
"""How long a refused body is still read, and dropped: a client that is still sending when the
connection closes gets a reset, not the answer."""

_SLOW_LINGER_SECONDS = 1.0

_DECOMPRESS_BYTES = 2**20

_GZIP = 31
"""zlib's `wbits` for gzip."""


class _Arrival:
    """A body, from its first byte until its request is answered."""

    def __init__(self, now: float) -> None:
        self.size = 0
        self.complete = False
        self.refused: RequestError | None = None
        self.timeout: asyncio.Timeout | None = None
        self._step_size = 0
        self._step_time = now

    def ends_step(self, now: float) -> bool:
        """Returns whether the body has grown by a step since this was true last."""
        if self.size - self._step_size < _STEP_BYTES:
            return False
        self._step_size, self._step_time = self.size, now
        return True

    def is_slow(self, now: float) -> bool:
        """Returns whether the body has not grown by a step for a while."""
        return now - self._step_time > _PATIENCE_SECONDS

    def refuse(self, error: RequestError, now: float) -> None:
        """Ends the wait for the rest of the body."""
        self.refused = error
        assert self.timeout is not None
        self.timeout.reschedule(now)


class BodyLimit:
    """ASGI middleware that reads each body, within bounds, before it calls the application.

    It answers 413 if a body is above the limit, declared or found; 408 if it stops arriving; 415 if
    it is compressed other than by gzip; and 503 if all bodies together are above `held_limit`, as
    many clients with allowed bodies could fill the memory too.

    Args:
        app: The application.
        limit: Bytes of one body, decompressed.
        held_limit: Bytes of all bodies in memory; a single one is always accepted. Bodies that
            arrive slowly are refused in favour of others.
        seconds: How long the next 16 KiB of a body, or its rest, may take to arrive.
        executor: Decompresses the bodies.
    """

    def __init__(
        self, app: ASGIApp, limit: int, held_limit: int, seconds: float, executor: Executor
    ) -> None:
        self._app = app
        self._limit = limit
        self._held_limit = held_limit
        self._seconds = seconds
        self._executor = executor
        self._held = 0
        self._arriving: dict[_Arrival, None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, with its body as one message."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrival = _Arrival(asyncio.get_running_loop().time())
        try:
            try:
                length, encoding = _declared(scope)
                if length > self._limit:
                    raise self._too_large()
                body = await self._read(arrival, scope, receive)
                if body and encoding:
                    body = await self._decompressed(arrival, body)
            except RequestError as error:
                await _refuse(error, arrival.complete, scope, receive, send)
                return
            if body is not None:
                await self._app(scope, _replayed(body, receive), send)
        finally:
            self._release(arrival)

    async def _read(self, arrival: _Arrival, scope: Scope, receive: Receive) -> bytes | None:
        """Returns the body, or None if the client has disconnected."""
        pieces: list[bytes] = []
        if BODY_ARRIVED in scope:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                arrival.complete = True
                body: bytes = message.get("body", b"")
                self._hold(arrival, len(body))
                return body
            return None
        try:
            async with asyncio.timeout(self._seconds) as arrival.timeout:
                while not arrival.complete:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    pieces.append(message.get("body", b""))
                    arrival.complete = not message.get("more_body", False)
                    self._hold(arrival, len(pieces[-1]))
        except TimeoutError:
            raise arrival.refused or SlowBodyError(
                f"the body has not gone on arriving for {self._seconds:g} s"
            ) from None
        finally:
            self._arriving.pop(arrival, None)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _hold(self, arrival: _Arrival, size: int) -> None:
        """Counts bytes that have arrived.

        Raises:
            TooLargeError: The body is above the limit.
            OverloadedError: All bodies are above their limit, and none of them is slow.
        """
        self._held += size
        arrival.size += size
        if arrival.size > self._limit:
            raise self._too_large()
        if self._held > self._held_limit:
            self._make_room(arrival)
        if not arrival.complete:
            self._arriving[arrival] = None
            now = asyncio.get_running_loop().time()
            if arrival.ends_step(now) and arrival.refused is None:
                assert arrival.timeout is not None
                arrival.timeout.reschedule(now + self._seconds)

    def _make_room(self, arrival: _Arrival) -> None:
        now = asyncio.get_running_loop().time()
        for other in list(self._arriving):
            if other is not arrival and other.is_slow(now):
                other.refuse(SlowBodyError("the body arrives slowly, and others wait"), now)
                self._release(other)
            if self._held <= self._held_limit:
                return
        others = self._held - arrival.size
        if others:
            raise OverloadedError(f"{others} bytes of other requests are in hand: try again later")

    def _release(self, arrival: _Arrival) -> None:
        self._arriving.pop(arrival, None)
        self._held -= arrival.size
        arrival.size = 0

    async def _decompressed(self, arrival: _Arrival, body: bytes) -> bytes:
        decompressed = await asyncio.get_running_loop().run_in_executor(
            self._executor, _decompress, body, self._limit
        )
        if decompressed is None:
            raise self._too_large()
        self._release(arrival)
        self._hold(arrival, len(decompressed))
        return decompressed

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"the body is larger than {self._limit} bytes (--body-mib)")


def _declared(scope: Scope) -> tuple[int, bool]:
    """Returns the length of the body, 0 if unknown, and whether it is compressed."""
    length = 0
    compressed = False
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value)
        elif name == b"content-encoding":
            encoding = value.strip().lower()
            if encoding not in (b"", b"identity"):
                if encoding not in (b"gzip", b"x-gzip") or compressed:
                    raise EncodingError(
                        f"content-encoding {value.decode('latin-1')!r} is not read: send gzip, or "
                        "the body as it is"
                    )
                compressed = True
    return length, compressed


def _decompress(body: bytes, limit: int) -> bytes | None:
    """Returns the decompressed body, or None if it is larger than the limit.

    Raises:
        InvalidRequestError: It is not gzip, is cut off, or is followed by more data.
    """
    decompressor = zlib.decompressobj(_GZIP)
    pieces = []
    size = 0
    try:
        while not decompressor.eof:
            piece = decompressor.decompress(body, _DECOMPRESS_BYTES)
            body = decompressor.unconsumed_tail
            if not piece and not body and not decompressor.eof:
                raise InvalidRequestError("the body is gzip that is cut off")
            size += len(piece)
            if size > limit:
                return None
            pieces.append(piece)
    except zlib.error as error:
        raise InvalidRequestError(f"the body is not gzip, or is damaged: {error}") from error
    if decompressor.unused_data:
        raise InvalidRequestError("something follows the gzip of the body: send one, and it alone")
    return b"".join(pieces)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(
    error: RequestError, complete: bool, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answers, and closes the connection if the body is incomplete."""
    headers = {"accept-encoding": "gzip"} if isinstance(error, EncodingError) else {}
    if complete:
        await JSONResponse({"error": str(error)}, error.http, headers)(scope, receive, send)
        return
    response = JSONResponse({"error": str(error)}, error.http, headers | {"connection": "close"})
    seconds = _SLOW_LINGER_SECONDS if isinstance(error, SlowBodyError) else _LINGER_SECONDS
    start = {"type": "http.response.start", "status": response.status_code}
    await send(start | {"headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive()).get("more_body", False):
                pass
    await send({"type": "http.response.body", "body": b""})
