"""A real HTTP server on this machine that can fail in the ways that servers do."""

import dataclasses
import hashlib
import http.server
from collections.abc import Callable

from data.catalog import SourceFile

Answer = Callable[["Handler", bytes], None]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "FileServer"

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        content = self.server.files.get(self.path)
        answers = self.server.answers.get(self.path, [])
        answer = answers.pop(0) if answers else whole
        if content is None:
            self.send_error(404)
        else:
            answer(self, content)

    def begin(self, status: int, length: int | None) -> None:
        self.send_response(status)
        if length is None:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def whole(handler: Handler, content: bytes) -> None:
    """What a well-behaved server does."""
    handler.begin(200, len(content))
    handler.wfile.write(content)


def broken_off(handler: Handler, content: bytes) -> None:
    """Promises the file and hangs up half-way."""
    handler.begin(200, len(content))
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True


def short_without_length(handler: Handler, content: bytes) -> None:
    """Says nothing of the length, so that the missing end shows by the catalog alone."""
    handler.begin(200, None)
    handler.wfile.write(content[: len(content) // 2])


def wrong_content(handler: Handler, content: bytes) -> None:
    """A portal's log-in page, say, of the right length."""
    whole(handler, b"<html>".ljust(len(content), b"."))


def hangs_up(handler: Handler, content: bytes) -> None:
    """Closes the connection without an answer."""
    handler.close_connection = True


def status(code: int) -> Answer:
    def answer(handler: Handler, content: bytes) -> None:
        handler.begin(code, 0)

    return answer


class FileServer(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[str] = []

    def publish(self, name: str, content: bytes, **changes: object) -> SourceFile:
        """Serves a file and returns its entry for a catalog."""
        self.files[f"/{name}"] = content
        entry = SourceFile(
            folder="ecg",
            name=name,
            url=f"http://127.0.0.1:{self.server_port}/{name}",
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            shape=(140,),
        )
        return dataclasses.replace(entry, **changes)

    def answer(self, name: str, *answers: Answer) -> None:
        self.answers[f"/{name}"] = list(answers)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the tests."""
