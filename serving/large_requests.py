"""Large requests: converted outside the event loop, and their memory returned to the system."""

import asyncio
import contextlib
import ctypes
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

Result = TypeVar("Result")

LARGE_BYTES = 256 * 2**10
"""A request above it would hold up the event loop while it is decoded or encoded."""


async def convert(
    executor: Executor, size: int, function: Callable[..., Result], *given: Any
) -> Result:
    """Calls a function, in the executor if its data is large, so that others are answered.

    Args:
        executor: Its number of threads bounds the large requests that are converted at a time.
        size: Bytes that the function works on.
        function: What is called.
        given: Its arguments.
    """
    if size <= LARGE_BYTES:
        return function(*given)
    return await asyncio.get_running_loop().run_in_executor(executor, function, *given)


async def convert_body(
    executor: Executor, size: int, function: Callable[..., Result], *given: Any
) -> Result:
    """Does the same as `convert` for an HTTP body, and returns the memory of a large one."""
    try:
        return await convert(executor, size, function, *given)
    finally:
        if size > LARGE_BYTES:
            executor.submit(return_freed_memory)


def return_freed_memory() -> None:
    """Returns memory to the system that the C library keeps for later, if it is glibc.

    Otherwise the process would keep for good what large requests once filled. Takes some
    milliseconds, during which other threads run.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
