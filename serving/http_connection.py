"""HTTP connections: what a client may ask of one, and how many there may be."""

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

_UPGRADE_HEADERS = frozenset({b"upgrade", b"http2-settings"})


class HttpConnection(HttpToolsProtocol):
    """One connection, over uvicorn's own protocol."""

    def data_received(self, data: bytes) -> None:
        """Takes in what the client has sent."""
        self._unset_keepalive_if_required()
        self._parse(data)

    def on_headers_complete(self) -> None:
        """Starts to answer the request."""
        # An upgrade that is not taken is ignored, and the body follows (RFC 9110, 7.8), as for
        # every client that offers HTTP/2. httptools takes it for granted: `_parse` starts over.
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Hands the end of the body on."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parse_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(400, "this is not a request of HTTP/1.1")

    def _parse_without_upgrade(self, rest: bytes) -> None:
        """Takes in the request again as if it had not asked to change the protocol."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(405, "CONNECT: this server is no proxy")
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [
            b"%b: %b" % header for header in self.headers if header[0] not in _UPGRADE_HEADERS
        ]
        self.parser = httptools.HttpRequestParser(self)
        self._parse(b"\r\n".join([*lines, b"", rest]))

    def _refuse(self, status: int, reason: str) -> None:
        """Answers in place of the application, and closes."""
        body = orjson.dumps({"error": reason})
        self.transport.write(
            b"%bcontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (STATUS_LINE[status], len(body), body)
        )
        self.transport.close()
