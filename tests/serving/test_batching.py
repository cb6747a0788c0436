"""Requests that come together are computed together, and each gets its own rows back."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from serving.batching import Batcher
from serving.errors import OverloadedError, TooLargeError


class Doubler:
    """Counts its calls and, while `gate` is closed, does not come back."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, inputs: Any) -> dict[str, np.ndarray]:
        self.gate.wait(10)
        self.batches.append(len(inputs["x"]))
        if (inputs["x"] < 0).any():
            raise ValueError("negative")
        return {"y": inputs["x"] * 2}


def run(test: Callable[[Doubler, Batcher], Any], **options: Any) -> Doubler:
    doubler = Doubler()

    async def main() -> None:
        with ThreadPoolExecutor(2) as executor:
            bounds = {"batch_rows": 8, "delay_seconds": 0.0, "queue_rows": 100} | options
            batcher = Batcher(doubler, executor, observe=lambda rows, waiting: None, **bounds)
            await test(doubler, batcher)

    asyncio.run(main())
    return doubler


def rows(*values: float) -> dict[str, np.ndarray]:
    return {"x": np.array(values, np.float32)}


async def held_up(doubler: Doubler, batcher: Batcher) -> "asyncio.Task[Any]":
    """A first request that is being computed, so that what follows has to wait."""
    doubler.gate.clear()
    first = asyncio.create_task(batcher.submit(rows(0), 1))
    await asyncio.sleep(0.05)
    return first


def test_what_waits_at_the_same_time_is_one_batch() -> None:
    async def test(doubler: Doubler, batcher: Batcher) -> None:
        first = await held_up(doubler, batcher)
        others = [asyncio.create_task(batcher.submit(rows(n, n + 0.5), 2)) for n in range(1, 4)]
        await asyncio.sleep(0.05)
        doubler.gate.set()
        answered = await asyncio.gather(first, *others)
        assert [a["y"].tolist() for a in answered] == [[0], [2, 3], [4, 5], [6, 7]]

    assert run(test).batches == [1, 6]


def test_a_batch_is_never_above_its_bound() -> None:
    async def test(doubler: Doubler, batcher: Batcher) -> None:
        first = await held_up(doubler, batcher)
        others = [asyncio.create_task(batcher.submit(rows(n, n, n), 3)) for n in range(5)]
        await asyncio.sleep(0.05)
        doubler.gate.set()
        answered = await asyncio.gather(first, *others)
        assert [a["y"].tolist() for a in answered[1:]] == [[2 * n] * 3 for n in range(5)]

    assert run(test).batches == [1, 6, 6, 3]


def test_a_request_above_the_bound_is_computed_piece_by_piece() -> None:
    async def test(doubler: Doubler, batcher: Batcher) -> None:
        answered = await batcher.submit(rows(*range(20)), 20)
        assert answered["y"].tolist() == [2.0 * n for n in range(20)]

    assert run(test).batches == [8, 8, 4]


def test_one_bad_request_does_not_fail_its_company() -> None:
    async def test(doubler: Doubler, batcher: Batcher) -> None:
        first = await held_up(doubler, batcher)
        good, bad = (asyncio.create_task(batcher.submit(rows(n), 1)) for n in (3, -3))
        await asyncio.sleep(0.05)
        doubler.gate.set()
        await first
        with pytest.raises(ValueError, match="negative"):
            await bad
        assert (await good)["y"].tolist() == [6]

    run(test)


def test_a_full_queue_turns_requests_away_and_recovers() -> None:
    async def test(doubler: Doubler, batcher: Batcher) -> None:
        first = await held_up(doubler, batcher)
        waiting = [asyncio.create_task(batcher.submit(rows(1, 1), 2)) for _ in range(5)]
        await asyncio.sleep(0.05)
        with pytest.raises(OverloadedError, match="try again"):
            await batcher.submit(rows(1), 1)
        doubler.gate.set()
        await asyncio.gather(first, *waiting)
        assert (await batcher.submit(rows(1), 1))["y"].tolist() == [2]

    run(test, queue_rows=10)


def test_a_request_above_the_queues_bound_is_refused_although_nothing_waits() -> None:
    async def test(doubler: Doubler, batcher: Batcher) -> None:
        with pytest.raises(TooLargeError, match=r"30 examples .* takes 10 .*--queue-rows"):
            await batcher.submit(rows(*range(30)), 30)
        assert len((await batcher.submit(rows(*range(10)), 10))["y"]) == 10

    run(test, queue_rows=10)


def test_a_delay_lets_a_batch_fill_up() -> None:
    async def test(doubler: Doubler, batcher: Batcher) -> None:
        async def later(n: int) -> Any:
            await asyncio.sleep(0.01 * n)
            return await batcher.submit(rows(n), 1)

        await asyncio.gather(*(later(n) for n in range(8)))

    assert run(test, delay_seconds=5.0).batches == [8]


def test_a_client_that_hung_up_is_not_computed() -> None:
    async def test(doubler: Doubler, batcher: Batcher) -> None:
        first = await held_up(doubler, batcher)
        gone = asyncio.create_task(batcher.submit(rows(1), 1))
        stays = asyncio.create_task(batcher.submit(rows(2), 1))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.sleep(0.01)
        doubler.gate.set()
        await first
        assert (await stays)["y"].tolist() == [4]

    assert run(test).batches == [1, 1]
