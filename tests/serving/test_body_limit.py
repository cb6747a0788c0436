"""Bodies that are too large, one by one or together."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from serving.body_limit import BodyLimit
from serving.errors import BodyTooLargeError, OverloadedError

SCOPE: dict[str, Any] = {"type": "http", "method": "POST", "path": "/", "headers": []}


class Client:
    """Sends a body piece by piece and keeps the status of the answer."""

    def __init__(self, *pieces: int, told: int | None = None) -> None:
        self.scope = {**SCOPE, "headers": []}
        if told is not None:
            self.scope["headers"] = [(b"content-length", str(told).encode())]
        self._pieces = list(pieces)
        self.status = 0

    async def receive(self) -> Message:
        await asyncio.sleep(0)
        if not self._pieces:
            return {"type": "http.disconnect"}
        size = self._pieces.pop(0)
        return {"type": "http.request", "body": bytes(size), "more_body": bool(self._pieces)}

    async def send(self, message: Message) -> None:
        self.status = message.get("status", self.status)


def limited(hold: asyncio.Event | None = None) -> BodyLimit:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        if hold:
            await hold.wait()
        await PlainTextResponse("taken")(scope, receive, send)

    return BodyLimit(app, limit=100, held_limit=250)


async def ask(app: BodyLimit, client: Client) -> int:
    await app(client.scope, client.receive, client.send)
    return client.status


def test_a_body_within_the_limit_is_taken() -> None:
    assert asyncio.run(ask(limited(), Client(60, 40, told=100))) == 200


def test_a_body_that_tells_its_size_is_refused_at_once() -> None:
    assert asyncio.run(ask(limited(), Client(60, 41, told=101))) == 413


def test_a_body_that_grows_above_the_limit_is_refused() -> None:
    with pytest.raises(BodyTooLargeError, match="100 bytes"):
        asyncio.run(ask(limited(), Client(60, 41)))


def test_what_all_hold_is_bounded_and_given_back() -> None:
    async def main() -> None:
        hold = asyncio.Event()
        app = limited(hold)
        first = [asyncio.create_task(ask(app, Client(100))) for _ in range(2)]
        await asyncio.sleep(0.01)
        with pytest.raises(OverloadedError, match="200 bytes"):
            await ask(app, Client(51))
        hold.set()
        assert await asyncio.gather(*first) == [200, 200]
        assert await ask(app, Client(100)) == 200

    asyncio.run(main())
