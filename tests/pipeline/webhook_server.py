"""A webhook that keeps what is posted to it."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        assert isinstance(server, Webhook)
        server.received.append((self.path, json.loads(body)))
        self.send_response(server.answers.pop(0) if server.answers else 204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Webhook(ThreadingHTTPServer):
    """Keeps what it gets; answers with the codes it was given, then with 204."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.received: list[tuple[str, Any]] = []
        self.answers: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?token=secret"

    @classmethod
    @contextlib.contextmanager
    def serving(cls) -> Iterator["Webhook"]:
        """Answers while the context is open."""
        server = cls()
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
            server.server_close()
