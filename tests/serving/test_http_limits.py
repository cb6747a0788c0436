"""Clients that stall or send without end, while others are answered as ever."""

import contextlib
import json
import resource
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from tests.serving.conftest import MODEL, RunningServer, eventually, running_server
from tests.serving.test_http_connection import BODIES, PATHS, connect, read_answer, request
from tests.serving.tiny_detector import push

BODY = BODIES[PATHS[0]]
CONNECTIONS = 40
OPEN_FILES = 1024


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    models_dir = tmp_path_factory.mktemp("impatient")
    push(models_dir / MODEL, 1, level=0.0)
    options = ("--body-mib=1", "--body-seconds=1", "--header-kib=4", "--header-seconds=1")
    options += ("--idle-seconds=2", f"--connections={CONNECTIONS}")
    with running_server(models_dir, *options, open_files=OPEN_FILES) as running:
        yield running


@contextlib.contextmanager
def normal_clients(server: RunningServer) -> Iterator[list[float]]:
    """Asks all the while, over one connection and over a new one each time; each answer is 200."""
    times: list[float] = []
    faults: list[str] = []
    stop = threading.Event()

    def ask(keep: bool) -> None:
        session = requests.Session()
        while not stop.is_set():
            start = time.monotonic()
            try:
                answer = (session if keep else requests).post(
                    server.url(PATHS[0]), data=BODY, timeout=20
                )
                if answer.status_code != 200:
                    faults.append(answer.text)
            except requests.RequestException as error:
                faults.append(repr(error))
            times.append(time.monotonic() - start)
            time.sleep(0.01)

    threads = [threading.Thread(target=ask, args=(keep,)) for keep in (True, False)]
    for thread in threads:
        thread.start()
    try:
        yield times
        time.sleep(0.2)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not faults, faults[:3]
    assert len(times) > 10


def status_of(connection: socket.socket) -> int:
    """Status of the answer; 0 if the connection is closed without one."""
    try:
        return read_answer(connection)[0]
    except (IndexError, ConnectionError):
        return 0


HEAD = request(PATHS[0], BODY)[: -len(BODY)]
LARGE = f"X-Large: {'x' * 5000}\r\n".encode()
REFUSED = {
    "a large header": (request(PATHS[0], BODY, LARGE), 431),
    "a large header of HTTP/2's clients": (
        request(PATHS[0], BODY, LARGE + b"Connection: upgrade\r\nUpgrade: h2c\r\n"),
        431,
    ),
    "a header without end": (HEAD[:-2] + b"X-Large: " + b"x" * 400_000, 431),
    "many headers": (HEAD[:-2] + b"X-Many: 1\r\n" * 20_000, 431),
    "a path without end": (b"GET /" + b"x" * 400_000, 431),
    "a trailer without end": (
        HEAD.replace(b"Content-Length: %d" % len(BODY), b"Transfer-Encoding: chunked")
        + b"1\r\n{\r\n0\r\nX-Large: "
        + b"x" * 400_000,
        431,
    ),
    "half a head": (HEAD[:40], 408),
    "half a body": (request(PATHS[0], BODY)[:-9], 408),
    "no body": (HEAD, 408),
    "a chunk without end": (
        HEAD.replace(b"Content-Length: %d" % len(BODY), b"Transfer-Encoding: chunked") + b"9\r\n{",
        408,
    ),
    "a body above the limit": (request(PATHS[0], b" " * (2**20 + 1)), 413),
    "a chunked body above the limit": (
        HEAD.replace(b"Content-Length: %d" % len(BODY), b"Transfer-Encoding: chunked")
        + b"%x\r\n" % (2**20 + 1)
        + b" " * (2**20 + 1)
        + b"\r\n0\r\n\r\n",
        413,
    ),
    "nothing": (b"", 0),
    "no more after an answer": (request(PATHS[0], BODY), 200),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_client_is_not_waited_for_without_end(impatient: RunningServer, case: str) -> None:
    content, status = REFUSED[case]
    with normal_clients(impatient), connect(impatient) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(content)
        assert status_of(connection) == status
        # And then it ends, soon.
        connection.settimeout(8)
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1) == b""


def test_a_chunked_body_above_the_limit_of_v2(impatient: RunningServer) -> None:
    pieces = (b" " * 2**18 for _ in range(5))
    answer = requests.post(impatient.url(PATHS[1]), data=pieces, timeout=20)
    assert answer.status_code == 413
    assert "1048576 bytes" in answer.json()["error"]


def test_one_byte_at_a_time(impatient: RunningServer) -> None:
    with normal_clients(impatient), connect(impatient) as connection:
        start = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in HEAD:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)
                if time.monotonic() - start > 4:
                    break
        assert status_of(connection) == 408


@pytest.mark.parametrize("sent", [b"", HEAD[:50], HEAD, HEAD + BODY[:9]])
def test_more_connections_than_there_may_be(impatient: RunningServer, sent: bytes) -> None:
    with normal_clients(impatient) as times, contextlib.ExitStack() as stack:
        for _ in range(3 * CONNECTIONS):
            connection = stack.enter_context(connect(impatient))
            connection.sendall(sent)
            time.sleep(0.005)
        assert max(times) < 5


def test_bodies_that_stall_block_no_large_request(impatient: RunningServer) -> None:
    """Together they hold all that may be held; none is waited for."""
    body = BODY + b" " * (2**20 - len(BODY))
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            connection = stack.enter_context(connect(impatient))
            connection.sendall(request(PATHS[0], body)[:-1])
        eventually(
            lambda: (
                requests.post(impatient.url(PATHS[0]), data=body, timeout=20).status_code == 200
            ),
            5,
        )


def test_more_idle_connections_than_open_files(impatient: RunningServer) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3000:
        pytest.skip("this process may not open as many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with normal_clients(impatient) as times, contextlib.ExitStack() as stack:
            for _ in range(OPEN_FILES + 500):
                stack.enter_context(connect(impatient))
                time.sleep(0.001)
            assert max(times) < 5
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_errors_are_json(impatient: RunningServer) -> None:
    with connect(impatient) as connection:
        connection.sendall(request(PATHS[0], BODY, LARGE))
        status, body = read_answer(connection)
    assert status == 431
    assert "--header-kib" in json.loads(body)["error"]
