"""A server that is asked to end while clients ask."""

import http.client
import signal
import threading
import time
from collections import Counter
from pathlib import Path

from tests.serving.conftest import MODEL, RunningServer, running_server
from tests.serving.test_http_connection import BODIES, PATHS, connect, read_answer, request
from tests.serving.tiny_detector import push

BODY = BODIES[PATHS[0]]
CLIENTS = 12


def keep_asking(server: RunningServer, number: int, seen: Counter[str], ending: threading.Event):
    """Asks until it is turned away; half of the clients take a new connection for each request."""
    connection = None
    while True:
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
                connection.connect()
        except ConnectionRefusedError:
            assert ending.is_set()
            seen["turned away"] += 1
            return
        try:
            connection.request("POST", PATHS[0], BODY)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            seen[f"cut: {error!r}"] += 1
            connection = None
            continue
        seen[str(answer.status)] += 1
        if number % 2 or answer.will_close:
            connection.close()
            connection = None


def test_no_request_is_cut_when_the_server_ends(tmp_path: Path) -> None:
    push(tmp_path / MODEL, 1, level=0.0)
    seen: Counter[str] = Counter()
    ending = threading.Event()
    with running_server(tmp_path) as server:
        threads = [
            threading.Thread(target=keep_asking, args=(server, number, seen, ending))
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        # One sends its request in two parts, with the signal in between; one never sends a thing.
        with connect(server) as halved, connect(server) as idle:
            content = request(PATHS[0], BODY)
            halved.sendall(content[:-20])
            time.sleep(1)
            ending.set()
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            halved.sendall(content[-20:])
            assert read_answer(halved)[0] == 200
            assert idle.recv(1) == b""
        for thread in threads:
            thread.join(40)
        assert server.process.wait(40) == 0
    assert seen.keys() == {"200", "turned away"}, seen
    assert seen["turned away"] == CLIENTS
