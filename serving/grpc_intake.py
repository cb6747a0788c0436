"""Bounds on gRPC messages: on those that arrive at the same time, and on those in memory."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any

from grpc import aio

from serving.decoding import LARGE_BYTES, Result, convert, return_freed_memory
from serving.errors import InvalidRequestError, TooMuchInHandError

_SMALL_SECONDS = 0.25
"""A message that takes longer to arrive counts as large, or as stalled."""

_LARGE_ARRIVING = 16
"""Large messages that may arrive at the same time."""

_PATIENCE_SECONDS = 10.0
"""A large message that takes longer is refused when another one arrives."""

_LARGEST_SECONDS = 60.0
"""No message may take longer."""

_TRIM_SECONDS = 2.0
"""Memory of large messages is returned to the system this long after one of them."""


@dataclasses.dataclass(eq=False)
class _Arrival:
    """A message that is being received."""

    task: asyncio.Task[Any]
    start: float
    timer: asyncio.TimerHandle | None = None
    refusal: TooMuchInHandError | None = None

    def refuse(self, reason: str) -> None:
        """Ends the wait for the message with an error."""
        self.refusal = TooMuchInHandError(reason)
        self.task.cancel()


class Intake:
    """Receives the messages of requests.

    gRPC reports neither the size of a message that is arriving nor how much of it has arrived, so
    memory is bounded by time: any number of messages may take half a second to arrive, and only a
    few may take longer. Stalled clients thus do not delay those whose messages arrive at once.

    Args:
        held_bytes: Bytes of all messages in memory; a single one is always accepted.
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
        """Returns the one message of a request, still encoded.

        Raises:
            InvalidRequestError: The client ended the request without a message.
            TooMuchInHandError: The message takes too long while others wait.
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
        """Gives a delayed event loop another chance to read a message that has arrived."""
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
        """Counts a message as in memory until it is answered.

        Raises:
            TooMuchInHandError: The messages in memory leave no room for it.
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
        """Schedules the return once for all messages of the next seconds."""
        loop = asyncio.get_running_loop()
        self._trim_again = self._trim is not None
        if self._trim is None:
            self._trim = loop.call_later(_TRIM_SECONDS, self._return_memory)

    def _return_memory(self) -> None:
        self._trim = None
        self._executor.submit(return_freed_memory)
        if self._trim_again:
            self._return_memory_later()

    async def convert(self, size: int, function: Callable[..., Result], *given: Any) -> Result:
        """Calls a function, outside the event loop if its data is large; see `convert`."""
        return await convert(self._executor, size, function, *given)
