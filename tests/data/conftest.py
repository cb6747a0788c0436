"""Fixtures of the data tests."""

import socket
import threading
from collections.abc import Iterator

import pytest
from file_server import FileServer

from data.download import Patience


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    with FileServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def patience() -> Patience:
    """Tries as often as users do, but does not wait as long."""
    return Patience(pause_s=0.01, connect_s=1.0, read_s=1.0)


@pytest.fixture
def closed_port(server: FileServer) -> str:
    """An address that refuses connections."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
