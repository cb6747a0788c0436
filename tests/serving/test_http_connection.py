"""What clients send beside the request itself, as bytes on a connection."""

import json
import shutil
import socket
import subprocess

import pytest

from tests.serving.conftest import MODEL, RunningServer
from tests.serving.tiny_detector import LENGTH

PATHS = (f"/v1/models/{MODEL}:predict", f"/v2/models/{MODEL}/infer")
ROW = [0.0] * LENGTH
BODIES = {
    PATHS[0]: json.dumps({"instances": [ROW]}).encode(),
    PATHS[1]: json.dumps(
        {"inputs": [{"name": "signal", "shape": [1, LENGTH], "datatype": "FP32", "data": ROW}]}
    ).encode(),
}
UPGRADE = (
    b"Connection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
)


def request(path: str, body: bytes, headers: bytes = b"") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
    )
    return head.encode() + headers + b"\r\n" + body


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of one answer with a content length."""
    with connection.makefile("rb", buffering=0) as stream:
        status = int(stream.readline().split()[1])
        length = 0
        while (line := stream.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        body = b""
        while len(body) < length:
            body += stream.read(length - len(body))
    return status, body


def connect(server: RunningServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("piece", [1, 150, 100_000])
def test_an_offer_of_http2_is_ignored(server: RunningServer, path: str, piece: int) -> None:
    content = request(path, BODIES[path], UPGRADE) + request(path, BODIES[path])
    with connect(server) as connection:
        for start in range(0, len(content), piece):
            connection.sendall(content[start : start + piece])
        answers = [read_answer(connection) for _ in range(2)]
    assert [status for status, _ in answers] == [200, 200], answers


def test_an_offer_with_a_chunked_body(server: RunningServer) -> None:
    body = BODIES[PATHS[0]]
    head = request(PATHS[0], b"", UPGRADE).replace(
        b"Content-Length: 0", b"Transfer-Encoding: chunked"
    )
    with connect(server) as connection:
        connection.sendall(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert read_answer(connection)[0] == 200


@pytest.mark.parametrize("upgrade", ["websocket", "TLS/1.0", "h2c, foo/2"])
def test_another_protocol_offered(server: RunningServer, upgrade: str) -> None:
    headers = f"Connection: upgrade\r\nUpgrade: {upgrade}\r\n".encode()
    with connect(server) as connection:
        connection.sendall(request(PATHS[0], BODIES[PATHS[0]], headers))
        assert read_answer(connection)[0] == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("path", PATHS)
def test_curl_with_http2(server: RunningServer, path: str) -> None:
    command = ["curl", "-s", "--http2", "-o", "-", "-w", "\n%{http_code}", server.url(path)]
    command += ["--data-binary", "@-", "-H", "Content-Type: application/json"]
    answered = subprocess.run(command, input=BODIES[path], capture_output=True, timeout=30)
    assert answered.stdout.endswith(b"\n200"), answered.stdout


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
    ],
)
def test_what_is_no_request(server: RunningServer, content: bytes, status: int) -> None:
    with connect(server) as connection:
        connection.sendall(content)
        answered, body = read_answer(connection)
    assert answered == status
    assert json.loads(body)["error"]
