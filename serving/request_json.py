"""JSON of requests: decoded within bounds, outside the event loop if it is large."""

import asyncio
import json
import math
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

import orjson

from serving.errors import BodyTooLargeError, InvalidRequestError
from serving.freed_memory import return_freed_memory
from serving.loaded_version import LoadedVersion
from serving.tensors import TensorSpec

Result = TypeVar("Result")

LARGE_BYTES = 256 * 2**10

_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

_SLACK = 1000
"""Values and brackets beside the examples' own."""


async def decode(
    executor: Executor, size: int, function: Callable[..., Result], *given: Any
) -> Result:
    """Calls a function, in the executor if what it decodes is large, so that others are answered.

    Args:
        executor: Its threads are the number of large requests that are decoded at a time.
        size: Bytes that are decoded.
        function: What is called.
        given: Its arguments.
    """
    if size <= LARGE_BYTES:
        return function(*given)
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, function, *given)
    finally:
        executor.submit(return_freed_memory)


def decode_json(body: bytes) -> Any:
    """Decodes JSON as UTF-8, with a byte order mark or without.

    Raises:
        InvalidRequestError: It is not JSON.
    """
    if body.startswith(_UTF_16):
        raise InvalidRequestError("the body is not JSON in UTF-8: it begins as UTF-16 does")
    try:
        return orjson.loads(body.removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(_fault(body, error)) from error


def check_amount(body: bytes, version: LoadedVersion, most_rows: int) -> None:
    """Checks that JSON does not hold more than any request for a model may, before it is decoded.

    Each value takes many times its bytes of the text once it is decoded. In text, which the
    bound does not tell from numbers, commas and brackets count as well.

    Args:
        body: The JSON.
        version: What will answer; a signature with a free axis beside the first has no bound.
        most_rows: Examples that one request may have.

    Raises:
        BodyTooLargeError: It holds more.
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
        raise BodyTooLargeError(
            f"the request holds more values than {most_rows} examples have, which the server takes "
            "at a time (--queue-rows): send them in several requests"
        )


def _amount(spec: TensorSpec) -> tuple[float, float]:
    """Returns lists and values of one example in JSON."""
    sizes = [math.inf if size is None else size for size in spec.shape[1:]]
    lists = sum(math.prod(sizes[:depth]) for depth in range(len(sizes)))
    return lists + 1, math.prod(sizes)


def _fault(body: bytes, error: orjson.JSONDecodeError) -> str:
    """Python's own parser takes NaN and Infinity, which JSON does not have."""
    if len(body) <= LARGE_BYTES or b"NaN" in body or b"Infinity" in body:
        try:
            json.loads(body.removeprefix(_BOM))
        except (ValueError, RecursionError):
            return f"the body is not JSON: {error}"
        return (
            "the body holds NaN or Infinity, or a number that is none in JSON: send finite numbers"
        )
    return f"the body is not JSON: {error}"
