"""Messages that arrive slowly, and what they may not do to the others."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from grpc import aio

from serving import grpc_intake
from serving.errors import InvalidRequestError, TooMuchInHandError
from serving.grpc_intake import Intake

MIB = 2**20


class Request:
    """A request whose message arrives on request."""

    def __init__(self) -> None:
        self.message: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def read(self) -> Any:
        return await self.message


def run(test: Callable[[Intake], Awaitable[None]]) -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            await test(Intake(held_bytes=4 * MIB, executor=executor))

    asyncio.run(main())


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_intake, "_SMALL_SECONDS", 0.02)
    monkeypatch.setattr(grpc_intake, "_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(grpc_intake, "_LARGEST_SECONDS", 1.0)
    monkeypatch.setattr(grpc_intake, "_LARGE_ARRIVING", 4)


def test_requests_that_stall_hold_no_other_up() -> None:
    async def test(intake: Intake) -> None:
        stalled = [asyncio.create_task(intake.receive(Request())) for _ in range(200)]
        for _ in range(20):
            quick = Request()
            quick.message.set_result(b"quick")
            assert await intake.receive(quick) == b"quick"
            await asyncio.sleep(0.01)
        done = [task for task in stalled if task.done()]
        assert len(done) == 196
        for task in done:
            with pytest.raises(TooMuchInHandError, match="4 large messages are arriving"):
                task.result()
        # Those that took the slots give way to one that comes later.
        await asyncio.sleep(0.3)
        late = Request()
        arrives = asyncio.create_task(intake.receive(late))
        await asyncio.sleep(0.1)
        late.message.set_result(b"late")
        assert await arrives == b"late"
        results = await asyncio.gather(*stalled, return_exceptions=True)
        assert all(isinstance(result, TooMuchInHandError) for result in results)
        assert any("did not arrive" in str(result) for result in results)

    run(test)


def test_a_slow_message_alone_is_taken() -> None:
    async def test(intake: Intake) -> None:
        slow = Request()
        arrives = asyncio.create_task(intake.receive(slow))
        await asyncio.sleep(0.7)
        slow.message.set_result(b"slow")
        assert await arrives == b"slow"

    run(test)


def test_a_client_that_hangs_up_is_no_refusal() -> None:
    async def test(intake: Intake) -> None:
        gone = asyncio.create_task(intake.receive(Request()))
        await asyncio.sleep(0.1)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone

    run(test)


def test_a_request_without_a_message() -> None:
    async def test(intake: Intake) -> None:
        empty = Request()
        empty.message.set_result(aio.EOF)
        with pytest.raises(InvalidRequestError, match="no message"):
            await intake.receive(empty)

    run(test)


def test_messages_in_hand_are_bounded_and_one_alone_is_taken() -> None:
    async def test(intake: Intake) -> None:
        refused = pytest.raises(TooMuchInHandError, match="in hand: try again later")
        with intake.hold(9 * MIB), refused, intake.hold(1):
            pass
        refused = pytest.raises(TooMuchInHandError, match=f"{4 * MIB} bytes")
        with intake.hold(3 * MIB), intake.hold(1 * MIB), refused, intake.hold(1):
            pass
        with intake.hold(4 * MIB):
            pass

    run(test)


def test_large_work_leaves_the_event_loop() -> None:
    async def test(intake: Intake) -> None:
        here = threading.get_ident()
        assert await intake.convert(10, threading.get_ident) == here
        assert await intake.convert(MIB, threading.get_ident) != here

    run(test)
