"""Decoding of requests: amounts are bounded, and large ones do not hold up the event loop."""

import asyncio
import contextlib
import ctypes
import json
import math
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

import orjson

from serving.errors import InvalidRequestError, TooLargeError
from serving.loaded_version import LoadedVersion
from serving.tensors import TensorSpec

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


_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

_SLACK = 1000
"""Values and brackets beside the examples' own."""


def decode_json(body: bytes) -> Any:
    """Decodes JSON in UTF-8, with or without a byte order mark.

    Raises:
        InvalidRequestError: It is not JSON.
    """
    if body.startswith(_UTF_16):
        raise InvalidRequestError("the body is not JSON in UTF-8: it begins as UTF-16 does")
    try:
        return orjson.loads(body.removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(_reason(body, error)) from error


def check_amount(body: bytes, version: LoadedVersion, most_rows: int) -> None:
    """Checks, before it is decoded, that JSON does not hold more values than a request may have.

    A decoded value takes many times the memory of its text. Commas and brackets are counted, also
    those inside of strings.

    Args:
        body: The JSON.
        version: The version that will answer; a signature with a free axis beside the first has no
            bound.
        most_rows: Examples that one request may have.

    Raises:
        TooLargeError: It holds more.
    """
    if len(body) <= LARGE_BYTES:
        return
    amounts = [
        [_amount(spec) for spec in signature.inputs.values()]
        for signature in version.signatures.values()
    ]
    lists = max(2 + sum(lists for lists, _ in inputs) for inputs in amounts)
    values = max(sum(values for _, values in inputs) for inputs in amounts)
    if (
        body.count(b"[") + body.count(b"{") > most_rows * lists + _SLACK
        or body.count(b",") > most_rows * (lists + values) + _SLACK
    ):
        raise TooLargeError(
            f"the request holds more values than {most_rows} examples have, which the server takes "
            "at a time (--queue-rows): send them in several requests"
        )


def _amount(spec: TensorSpec) -> tuple[float, float]:
    """Returns lists and values of one example in JSON."""
    sizes = [math.inf if size is None else size for size in spec.shape[1:]]
    lists = sum(math.prod(sizes[:depth]) for depth in range(len(sizes)))
    return lists + 1, math.prod(sizes)


def _reason(body: bytes, error: orjson.JSONDecodeError) -> str:
    """Returns the reason; Python's own parser finds out NaN and Infinity, which JSON has not."""
    if len(body) <= LARGE_BYTES or b"NaN" in body or b"Infinity" in body:
        try:
            json.loads(body.removeprefix(_BOM))
        except (ValueError, RecursionError):
            return f"the body is not JSON: {error}"
        return (
            "the body holds NaN or Infinity, or a number that is none in JSON: send finite numbers"
        )
    return f"the body is not JSON: {error}"
