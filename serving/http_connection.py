"""HTTP connections: bounds on their number, their request heads and their waits; refusals."""

import asyncio
import itertools
from typing import Any

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serving.body_limit import BODY_ARRIVED
from serving.settings import ServerSettings

_UPGRADE_HEADERS = frozenset({b"upgrade", b"http2-settings"})

_LINGER_SECONDS = 2.0
"""How long a refused client may go on sending. Closing the connection earlier resets it, and the
client loses what it has not read yet."""

_LINGERING = 128
"""Refused connections that are kept open at a time, in addition to the allowed ones."""

_QUIET_SECONDS = 1.0
"""While the server ends: how long it waits for a request on an idle connection."""

_STEP_BYTES = 16 * 2**10


class OpenConnections:
    """The open connections of a server.

    A new connection beyond the bound closes the one that has waited the longest for its client.

    Attributes:
        strangers: Connections that wait for a first request; the longest waiting one first.
        waiting: Connections that wait for more after an answer, in the same order; they are closed
            only if there is no stranger.
        lingering: Number of refused connections that are still open.
        ending: Whether the server ends.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.strangers: dict[HttpConnection, None] = {}
        self.waiting: dict[HttpConnection, None] = {}
        self.lingering = 0
        self.ending = False
        self._open: set[HttpConnection] = set()

    def add(self, connection: "HttpConnection") -> bool:
        """Adds a connection if there is room for it, or if a waiting one can be closed instead."""
        if len(self._open) >= self.settings.connections:
            oldest = next(itertools.chain(self.strangers, self.waiting), None)
            if oldest is None:
                return False
            oldest.give_way()
        self._open.add(connection)
        return True

    def remove(self, connection: "HttpConnection") -> None:
        """Removes a connection that is closed or about to be closed."""
        self._open.discard(connection)
        self.strangers.pop(connection, None)
        self.waiting.pop(connection, None)

    async def watch(self) -> None:
        """Closes connections that have waited too long, until it is cancelled."""
        settings = self.settings
        pause = min(1.0, settings.header_seconds / 4, settings.idle_seconds / 4)
        while True:
            await asyncio.sleep(pause)
            now = asyncio.get_running_loop().time()
            for connection in [*self.strangers, *self.waiting]:
                connection.check_patience(now)

    def end(self) -> None:
        """Makes each answer the last one of its connection from now on."""
        self.ending = True
        for connection in self._open:
            connection.shutdown()


class HttpConnection(HttpToolsProtocol):
    """uvicorn's connection, with bounds."""

    def __init__(self, connections: OpenConnections, **given: Any) -> None:
        super().__init__(**given)
        self._connections = connections
        self._waiting = connections.strangers
        self._header_bytes = connections.settings.header_bytes
        self._unread_bytes = 0
        self._step_bytes = 0
        self._in_head = False
        self._since = 0.0
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Adds the connection."""
        super().connection_made(transport)
        self._since = self.loop.time()
        if self._connections.add(self):
            self._waiting[self] = None
        else:
            self._refuse(503, "the server has as many connections as it may have: try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        """Removes the connection."""
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses data from the client."""
        if self._refused:
            return
        self._unset_keepalive_if_required()
        self._unread_bytes += len(data)
        self._parse(data)
        if self._unread_bytes > self._header_bytes:
            self._refuse_head()
        self._place()

    def on_message_begin(self) -> None:
        """Starts a request."""
        super().on_message_begin()
        self._in_head = True
        self._since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Adds a header; those that follow a chunked body are ignored."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Starts to answer the request."""
        self._in_head = False
        if self._refused:
            return
        # The head may have arrived together with its body.
        if self._unread_bytes > self._header_bytes and self._head_bytes() > self._header_bytes:
            self._refuse_head()
            return
        self._unread_bytes = 0
        # An upgrade that the server does not support is ignored, and the body follows (RFC 9110,
        # 7.8); every client that offers HTTP/2 sends one. httptools stops there: see `_parse`.
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            if self._connections.ending:
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Passes a part of the body on."""
        if self._refused:
            return
        self._unread_bytes = 0
        self._step_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Passes the end of the body on."""
        if self._refused or self.parser.should_upgrade():
            return
        self._unread_bytes = 0
        if self.cycle is not None:
            # Most requests have arrived by now, and `BodyLimit` then needs no timer.
            scope: Any = self.cycle.scope
            scope[BODY_ARRIVED] = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Prepares for the next request."""
        self._since = self.loop.time()
        super().on_response_complete()
        self._waiting.pop(self, None)
        self._waiting = self._connections.waiting
        self._place()

    def shutdown(self) -> None:
        """Makes the current answer, or the next one, the last.

        uvicorn would close a connection without a request, and so reset one whose request is on
        its way.
        """
        for cycle, _ in self.pipeline:
            cycle.keep_alive = False
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def give_way(self) -> None:
        """Closes the connection so that there is room for another one."""
        if self._has_begun():
            self._refuse(503, "others wait, and nothing has come from this client for the longest")
        else:
            self._close()

    def check_patience(self, now: float) -> None:
        """Closes the connection if its client has been waited for too long.

        `now` is the event loop's time, in seconds.
        """
        settings = self._connections.settings
        waited = now - self._since
        if self.transport.is_closing():
            # The client does not read the rest of the answer.
            if waited > settings.idle_seconds:
                self.transport.abort()
        elif self._in_head:
            if waited > settings.header_seconds:
                self._refuse(408, f"the head did not arrive in {settings.header_seconds:g} s")
        elif not self._has_begun() and (
            waited > settings.idle_seconds or (self._connections.ending and waited > _QUIET_SECONDS)
        ):
            self._close()

    def _place(self) -> None:
        """Updates the connection's place among the waiting; only 16 KiB of a body improve it."""
        waiting = self._waiting
        if self._refused or not (self._in_head or self._is_idle() or self.cycle.more_body):
            waiting.pop(self, None)
        elif self._step_bytes >= _STEP_BYTES:
            self._step_bytes = 0
            waiting.pop(self, None)
            waiting[self] = None
        else:
            waiting.setdefault(self, None)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _has_begun(self) -> bool:
        return self._in_head or not self._is_idle()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._refused:
                self._parse_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(400, "this is not a request of HTTP/1.1")

    def _parse_without_upgrade(self, rest: bytes) -> None:
        """Parses the request again without its headers of an upgrade."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(405, "CONNECT: this server is no proxy")
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [
            b"%b: %b" % (name, value)
            for name, value in self.headers
            if name not in _UPGRADE_HEADERS
        ]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._parse(b"\r\n".join([*lines, b"", rest]))

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse_head(self) -> None:
        self._refuse(431, f"the head is larger than {self._header_bytes} bytes (--header-kib)")

    def _refuse(self, status: int, reason: str) -> None:
        """Answers instead of the application, and closes the connection a little later."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._connections.remove(self)
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = orjson.dumps({"error": reason})
        self.transport.write(
            b"%bcontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[status], len(body), body)
        )
        self.flow.resume_reading()
        if self._connections.lingering < _LINGERING:
            self.transport.write_eof()
            self._connections.lingering += 1
            self.loop.call_later(_LINGER_SECONDS, self._end_lingering)
        else:
            self._close()

    def _end_lingering(self) -> None:
        self._connections.lingering -= 1
        self._close()

    def _close(self) -> None:
        """Closes the connection; unsent data is dropped."""
        self._connections.remove(self)
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()
