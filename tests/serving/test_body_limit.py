"""Bodies that are too large, too slow or compressed, one by one or together."""

import asyncio
import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from serving.body_limit import BodyLimit

SCOPE: dict[str, Any] = {"type": "http", "method": "POST", "path": "/", "headers": []}


class Client:
    """Sends a body piece by piece and keeps the answer.

    Args:
        pieces: Bytes, or a number of them.
        declared: Its content length.
        encoding: Its content encoding.
        stalls: It stays on and sends no more.
    """

    def __init__(
        self,
        *pieces: int | bytes,
        declared: int | None = None,
        encoding: str = "",
        stalls: bool = False,
    ) -> None:
        self.scope = {**SCOPE, "headers": []}
        if declared is not None:
            self.scope["headers"].append((b"content-length", str(declared).encode()))
        if encoding:
            self.scope["headers"].append((b"content-encoding", encoding.encode()))
        self._pieces = [bytes(piece) for piece in pieces]
        self._stalls = stalls
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.answer = b""

    async def receive(self) -> Message:
        await asyncio.sleep(0)
        if not self._pieces:
            if self._stalls:
                await asyncio.sleep(60)
            return {"type": "http.disconnect"}
        piece = self._pieces.pop(0)
        return {
            "type": "http.request",
            "body": piece,
            "more_body": bool(self._pieces) or self._stalls,
        }

    async def send(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        self.headers |= dict(message.get("headers", []))
        self.answer += message.get("body", b"")


@pytest.fixture(scope="module", autouse=True)
def _short_farewells() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serving.body_limit._LINGER_SECONDS", 0.02)
        patch.setattr("serving.body_limit._SLOW_LINGER_SECONDS", 0.02)
        yield


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def limited(
    executor: ThreadPoolExecutor, hold: asyncio.Event | None = None, seconds: float = 30.0
) -> BodyLimit:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        if hold:
            await hold.wait()
        await PlainTextResponse(body)(scope, receive, send)

    return BodyLimit(app, limit=100, held_limit=250, seconds=seconds, executor=executor)


async def ask(app: BodyLimit, client: Client) -> int:
    await app(client.scope, client.receive, client.send)
    return client.status


def test_a_body_within_the_limit_is_taken(executor: ThreadPoolExecutor) -> None:
    assert asyncio.run(ask(limited(executor), Client(60, 40, declared=100))) == 200


def test_a_body_that_declares_its_size_is_refused_at_once(executor: ThreadPoolExecutor) -> None:
    assert asyncio.run(ask(limited(executor), Client(60, 41, declared=101))) == 413


def test_a_body_that_grows_above_the_limit_is_refused(executor: ThreadPoolExecutor) -> None:
    client = Client(60, 41, 30)
    assert asyncio.run(ask(limited(executor), client)) == 413
    assert b"100 bytes" in client.answer
    assert b"--body-mib" in client.answer
    assert client.headers[b"connection"] == b"close"


def test_what_all_hold_is_bounded_and_given_back(executor: ThreadPoolExecutor) -> None:
    async def main() -> None:
        hold = asyncio.Event()
        app = limited(executor, hold)
        first = [asyncio.create_task(ask(app, Client(100))) for _ in range(2)]
        await asyncio.sleep(0.01)
        refused = Client(51)
        assert await ask(app, refused) == 503
        assert b"200 bytes" in refused.answer
        hold.set()
        assert await asyncio.gather(*first) == [200, 200]
        assert await ask(app, Client(100)) == 200

    asyncio.run(main())


def test_a_body_that_stalls_is_refused_in_time(executor: ThreadPoolExecutor) -> None:
    client = Client(60, stalls=True)
    assert asyncio.run(ask(limited(executor, seconds=0.05), client)) == 408
    assert b"0.05 s" in client.answer


def test_bodies_that_stall_give_way_to_others(
    executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.body_limit._PATIENCE_SECONDS", 0.1)

    async def main() -> None:
        app = limited(executor)
        stalled = [asyncio.create_task(ask(app, Client(99, stalls=True))) for _ in range(2)]
        await asyncio.sleep(0.01)
        # They have only just begun.
        assert await ask(app, Client(100)) == 503
        await asyncio.sleep(0.15)
        assert await ask(app, Client(100)) == 200
        assert await ask(app, Client(100)) == 200
        done, others = await asyncio.wait(stalled, timeout=2)
        assert [task.result() for task in done] == [408]
        for task in others:
            task.cancel()

    asyncio.run(main())


def test_a_client_that_leaves_gets_no_answer_and_holds_nothing(
    executor: ThreadPoolExecutor,
) -> None:
    async def main() -> None:
        app = limited(executor)
        for _ in range(5):
            leaving = Client(90, stalls=False)
            leaving._pieces.append(b"")
            leaving.scope["headers"] = []
            messages = iter([{"type": "http.request", "body": bytes(90), "more_body": True}])

            async def receive(messages: Iterator[Message] = messages) -> Message:
                return next(messages, {"type": "http.disconnect"})

            await app(leaving.scope, receive, leaving.send)
            assert leaving.status == 0
        assert await ask(app, Client(100)) == 200

    asyncio.run(main())


PACKED = gzip.compress(bytes(80))
COMPRESSED = {
    "gzip": (PACKED, "gzip", 200),
    "another name of it": (PACKED, "x-gzip", 200),
    "capitals": (PACKED, "GZIP", 200),
    "none": (bytes(80), "identity", 200),
    "exactly the limit": (gzip.compress(bytes(100)), "gzip", 200),
    "one above": (gzip.compress(bytes(101)), "gzip", 413),
    "a bomb": (gzip.compress(bytes(10**7))[:90], "gzip", 413),
    "not gzip": (bytes(80), "gzip", 400),
    "cut off": (PACKED[:-9], "gzip", 400),
    "damaged": (PACKED[:-6] + b"xxxxxx", "gzip", 400),
    "something after it": (PACKED + PACKED, "gzip", 400),
    "brotli": (PACKED, "br", 415),
    "twice": (PACKED, "gzip, gzip", 415),
    "another": (PACKED, "deflate", 415),
}


@pytest.mark.parametrize("case", COMPRESSED)
def test_compressed_bodies(executor: ThreadPoolExecutor, case: str) -> None:
    body, encoding, status = COMPRESSED[case]
    client = Client(body[:7], body[7:], encoding=encoding)
    assert asyncio.run(ask(limited(executor), client)) == status, client.answer
    if status == 200:
        assert not client.answer.strip(b"\0")
    else:
        assert b'"error"' in client.answer


@settings(deadline=None, max_examples=60)
@given(
    pieces=st.lists(st.binary(max_size=60), min_size=1, max_size=6),
    encoding=st.sampled_from(["", "gzip", "identity", "br"]),
    declared=st.booleans(),
    stalls=st.booleans(),
)
def test_whatever_comes_is_answered_and_let_go(
    executor: ThreadPoolExecutor, pieces: list[bytes], encoding: str, declared: bool, stalls: bool
) -> None:
    size = sum(map(len, pieces)) if declared else None

    async def main() -> None:
        app = limited(executor, seconds=0.01)
        status = await ask(app, Client(*pieces, encoding=encoding, declared=size, stalls=stalls))
        assert status in (200, 400, 408, 413, 415)
        assert await ask(app, Client(100)) == 200
        assert app._held == 0

    asyncio.run(main())
