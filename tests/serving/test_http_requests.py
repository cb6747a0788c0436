"""Requests as clients in use send them: compressed, without a content type, from a web page."""

import gzip
import json
import threading
import time
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving.conftest import MODEL, RunningServer
from tests.serving.test_http_connection import BODIES, PATHS, connect, read_answer
from tests.serving.tiny_detector import LENGTH

V1, V2 = PATHS
BOM = b"\xef\xbb\xbf"


def ask(server: RunningServer, path: str, body: bytes, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.post(server.url(path), data=body, headers=named, timeout=60)


@pytest.mark.parametrize("path", PATHS)
def test_a_compressed_body(server: RunningServer, path: str) -> None:
    plain = ask(server, path, BODIES[path]).json()
    answer = ask(server, path, gzip.compress(BODIES[path]), content_encoding="gzip")
    assert answer.status_code == 200, answer.text
    assert answer.json() | {"id": ""} == plain | {"id": ""}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(b" " * 500 * 2**20, 1), "gzip", 413),
        (b"{}", "gzip", 400),
        (gzip.compress(b"{}" * 100)[:-5], "gzip", 400),
        (b"{}", "br", 415),
    ],
    ids=["too large", "not compressed", "torn", "another encoding"],
)
def test_a_compressed_body_that_is_refused(
    server: RunningServer, path: str, body: bytes, encoding: str, status: int
) -> None:
    answer = ask(server, path, body, content_encoding=encoding)
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "kind", [None, "application/x-www-form-urlencoded", "text/plain", "application/octet-stream"]
)
def test_json_is_json_whatever_it_is_called(
    server: RunningServer, path: str, kind: str | None
) -> None:
    headers = {} if kind is None else {"content_type": kind}
    answer = ask(server, path, BOM + BODIES[path], **headers)
    assert answer.status_code == 200, answer.text


def test_keys_that_the_api_does_not_have_are_passed_over(server: RunningServer) -> None:
    body = json.loads(BODIES[V1]) | {"id": 3, "context": {"a": [1]}}
    assert ask(server, V1, json.dumps(body).encode()).status_code == 200


def test_a_web_page_of_an_allowed_origin_may_ask(server: RunningServer) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "content-type"
    preflight = requests.options(server.url(V1), headers=asked, timeout=10)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    answer = ask(server, V1, BODIES[V1], origin="https://shop.example")
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    other = ask(server, V1, BODIES[V1], origin="https://other.example")
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("path", [f"/v2/models/{MODEL}", f"/v2/models/{MODEL}/versions/7"])
def test_metadata_names_platform_and_versions(server: RunningServer, path: str) -> None:
    answer = server.get(path).json()
    assert answer["name"] == MODEL
    assert answer["versions"] == ["7"]
    assert answer["platform"] == "tensorflow_savedmodel"
    assert server.get(f"{path}/ready").json() == {"name": MODEL, "ready": True}


LARGE = {
    "empty objects": (V1, b'{"instances":[' + b"{}," * 1_300_000 + b"{}]}", 413),
    "empty lists": (V1, b'{"inputs":[' + b"[]," * 1_300_000 + b"[]]}", 413),
    "numbers": (V1, b'{"instances":[[' + b"0," * 1_900_000 + b"0]]}", 413),
    "nested": (V1, b'{"instances":' + b"[" * 4_000_000, 413),
    "more examples than the queue takes": (
        V1,
        b'{"instances":["' + b'","' * 30_000 + b'"],"signature_name":"serve_examples"}',
        413,
    ),
    "a long text": (V1, b'{"instances":["' + b"x" * 4_000_000 + b'"]}', 400),
    "not JSON": (V1, b"x" * 4_000_000, 400),
    "empty objects of v2": (V2, b'{"inputs":[' + b"{}," * 1_300_000 + b"{}]}", 413),
    "data of v2": (
        V2,
        b'{"inputs":[{"name":"signal","shape":[1,140],"datatype":"FP32","data":['
        + b"0," * 1_900_000
        + b"0]}]}",
        413,
    ),
    "a shape of v2 above the queue": (
        V2,
        b'{"inputs":[{"name":"signal","shape":[1000000,140],"datatype":"FP32","data":[0]}]}',
        413,
    ),
}


@pytest.mark.parametrize("case", LARGE)
def test_a_large_body_holds_no_other_up(server: RunningServer, case: str) -> None:
    """A body's values are bounded before they are made."""
    path, body, status = LARGE[case]
    slowest = 0.0
    stop = threading.Event()

    def ask_small() -> None:
        nonlocal slowest
        session = requests.Session()
        while not stop.is_set():
            start = time.monotonic()
            assert session.post(server.url(V1), data=BODIES[V1], timeout=30).status_code == 200
            slowest = max(slowest, time.monotonic() - start)

    small = threading.Thread(target=ask_small)
    small.start()
    before = server.resident_bytes()
    try:
        answer = ask(server, path, body)
    finally:
        stop.set()
        small.join(30)
    assert answer.status_code == status, answer.text[:300]
    assert len(answer.text) < 1000
    assert slowest < 2
    assert server.resident_bytes() - before < 150 * 2**20


def test_a_large_request_within_the_bounds(server: RunningServer) -> None:
    rows = [[0.5] * LENGTH] * 4000
    answer = ask(server, V1, json.dumps({"instances": rows}).encode())
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == 4000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["signal", "b64", "name", "shape", "data", "datatype", "parameters", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ROWS = st.lists(st.floats(width=32) | st.integers(), min_size=LENGTH, max_size=LENGTH)
TENSOR = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("signal") | VALUES,
        "shape": st.just([1, LENGTH]) | st.lists(st.integers(), max_size=3) | VALUES,
        "datatype": st.sampled_from(["FP32", "FP16", "BYTES", "BOOL", "INT64"]) | VALUES,
        "data": ROWS | VALUES,
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers() | VALUES}) | VALUES,
    },
)
V1_BODIES = VALUES | st.fixed_dictionaries(
    {},
    optional={
        "instances": st.lists(ROWS | VALUES, max_size=3) | VALUES,
        "inputs": VALUES,
        "signature_name": st.sampled_from(["serve_examples", "encode", "", "x"]) | VALUES,
    },
)
V2_BODIES = VALUES | st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR, max_size=2) | VALUES},
    optional={
        "id": VALUES,
        "parameters": st.fixed_dictionaries({"signature_name": VALUES}) | VALUES,
        "outputs": st.lists(st.fixed_dictionaries({"name": st.just("error") | VALUES}), max_size=2)
        | VALUES,
    },
)


def as_bytes(values: Any) -> bytes:
    return json.dumps(values).encode()


@pytest.mark.parametrize(("path", "bodies"), [(V1, V1_BODIES), (V2, V2_BODIES)])
@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_is_sent_is_answered(
    server: RunningServer, path: str, bodies: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """With 200, or with a client's mistake and a sentence."""
    body = data.draw(bodies.map(as_bytes) | st.binary(max_size=40))
    headers = {}
    if path == V2 and data.draw(st.booleans()):
        length = data.draw(st.just(len(body)) | st.integers(-5, len(body) + 5))
        headers["inference_header_content_length"] = str(length)
        body += data.draw(st.binary(max_size=9) | st.just(bytes(4 * LENGTH)))
    answer = ask(server, path, body, **headers)
    assert answer.status_code in (200, 400, 404, 413), (body, answer.text)
    if answer.status_code != 200:
        assert isinstance(answer.json()["error"], str)
        assert len(answer.text) < 3000


@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    line=st.sampled_from([b"POST " + V1.encode(), b"GET /", b"\0", b"HEAD /", b"OPTIONS *"])
    | st.binary(max_size=30),
    headers=st.lists(
        st.sampled_from(
            [
                b"Host: x",
                b"Content-Length: 2",
                b"Content-Length: -1",
                b"Transfer-Encoding: chunked",
                b"Connection: upgrade",
                b"Upgrade: h2c",
                b"Expect: 100-continue",
                b"Content-Encoding: gzip",
                b": ",
            ]
        )
        | st.binary(max_size=20),
        max_size=5,
    ),
    rest=st.binary(max_size=30) | st.just(b"2\r\n{}\r\n0\r\n\r\n"),
)
def test_whatever_bytes_come_the_next_client_is_answered(
    server: RunningServer, line: bytes, headers: list[bytes], rest: bytes
) -> None:
    with connect(server) as connection:
        connection.sendall(b"\r\n".join([line + b" HTTP/1.1", *headers, b"", rest]))
    with connect(server) as connection:
        connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_answer(connection)[0] == 200
    assert server.process.poll() is None
