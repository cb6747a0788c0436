"""Bounds on gRPC's messages: on those that arrive at a time, and on those in hand."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any, TypeVar

from grpc import aio

from serving.errors import InvalidRequestError, TooMuchInHandError
from serving.freed_memory import return_freed_memory

Result = TypeVar("Result")

LARGE_BYTES = 256 * 2**10
"""A message above it is decoded outside the event loop, which goes on with the others."""

_SMALL_SECONDS = 0.25
"""What takes longer to arrive counts as large, or as stalled."""

_LARGE_ARRIVING = 16
"""Large ones at the same time."""

_PATIENCE_SECONDS = 10.0
"""A large one that takes longer gives way when another one comes."""

_LARGEST_SECONDS = 60.0
"""No message may take longer."""

_TRIM_SECONDS = 2.0
"""What large messages took is given back that long after one of them."""


@dataclasses.dataclass(eq=False)
class _Arrival:
    """A message that is being received."""

    task: asyncio.Task[Any]
    start: float
    timer: asyncio.TimerHandle | None = None
    refusal: TooMuchInHandError | None = None

    def refuse(self, reason: str) -> None:
        """Ends the wait for it with an error."""
        self.refusal = TooMuchInHandError(reason)
        self.task.cancel()


class Intake:
    """Receives the messages of requests.

    gRPC does not say how large a message will be, nor how much of it is there, so what limits the
    memory is time: any number of messages may take half a second to arrive, and only a few may
    take longer. Clients that stall thus hold none up whose messages come at once.

    Args:
        held_bytes: Bytes of all messages in hand; one alone is always taken.
        executor: Where large messages are decoded, one at a time.
    """

    def __init__(self, held_bytes: int, executor: Executor) -> None:
        self._held_bytes = held_bytes
        self._executor = executor
        self._held = 0
        self._large: list[_Arrival] = []
        self._trim: asyncio.TimerHandle | None = None
        self._trim_again = False

    async def receive(self, context: Any) -> bytes:
        """Returns the one message of a request, as it came.

        Raises:
            InvalidRequestError: The client ended the request without a message.
            TooMuchInHandError: It takes too long while others wait.
        """
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        arrival = _Arrival(task, loop.time())
        arrival.timer = loop.call_later(_SMALL_SECONDS, self._look_again, arrival)
        try:
            content = await context.read()
        except asyncio.CancelledError:
            if arrival.refusal is None:
                raise
            task.uncancel()
            raise arrival.refusal from None
        finally:
            arrival.timer.cancel()
            if arrival in self._large:
                self._large.remove(arrival)
        if content is aio.EOF:
            raise InvalidRequestError("the request holds no message")
        return bytes(content)

    def _look_again(self, arrival: _Arrival) -> None:
        """Lets an event loop that was held up first find what is there already."""
        loop = asyncio.get_running_loop()
        arrival.timer = loop.call_later(_SMALL_SECONDS, self._enlarge, arrival)

    def _enlarge(self, arrival: _Arrival) -> None:
        """Counts a message as large, or refuses it or the one that has taken the longest."""
        loop = asyncio.get_running_loop()
        if len(self._large) >= _LARGE_ARRIVING:
            oldest = self._large[0]
            if loop.time() - oldest.start < _PATIENCE_SECONDS:
                arrival.refuse(f"{len(self._large)} large messages are arriving: try again later")
                return
            del self._large[0]
            oldest.refuse(f"the message did not arrive in {_PATIENCE_SECONDS:.0f} s")
        self._large.append(arrival)
        arrival.timer = loop.call_later(
            _LARGEST_SECONDS,
            arrival.refuse,
            f"the message did not arrive in {_LARGEST_SECONDS:.0f} s",
        )

    @contextlib.contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Counts a message until it is answered.

        Raises:
            TooMuchInHandError: Those in hand leave no room for it.
        """
        if size > LARGE_BYTES:
            self._return_memory_later()
        if self._held and self._held + size > self._held_bytes:
            raise TooMuchInHandError(
                f"{self._held} bytes of other requests are in hand: try again later"
            )
        self._held += size
        try:
            yield
        finally:
            self._held -= size
            if size > LARGE_BYTES:
                self._return_memory_later()

    def _return_memory_later(self) -> None:
        """Once for all messages of the next seconds."""
        loop = asyncio.get_running_loop()
        self._trim_again = self._trim is not None
        if self._trim is None:
            self._trim = loop.call_later(_TRIM_SECONDS, self._return_memory)

    def _return_memory(self) -> None:
        self._trim = None
        self._executor.submit(return_freed_memory)
        if self._trim_again:
            self._return_memory_later()

    async def work(self, size: int, function: Callable[..., Result], *given: Any) -> Result:
        """Calls a function, outside the event loop if what it works on is large.

        Args:
            size: Bytes that it works on.
            function: What is called.
            given: Its arguments.
        """
        if size <= LARGE_BYTES:
            return function(*given)
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *given)
