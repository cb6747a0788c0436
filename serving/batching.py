"""Dynamic batching: requests that wait at the same time are computed together."""

import asyncio
import dataclasses
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np

from serving.errors import OverloadedError, too_many_examples
from serving.tensors import Arrays

Compute = Callable[[Arrays], dict[str, np.ndarray]]


@dataclasses.dataclass
class _Waiting:
    inputs: Arrays
    rows: int
    outputs: asyncio.Future[dict[str, np.ndarray]]


class Batcher:
    """The queue of one signature of one version.

    A batch is computed in a thread while the event loop receives the next requests. Requests that
    arrive meanwhile make the next batch; without a delay, no request waits for others.

    Args:
        compute: Takes and returns arrays with the examples along the first axis.
        executor: Where it runs.
        batch_rows: Most examples in one go.
        delay_seconds: How long a batch that is not full waits.
        queue_rows: Examples that may wait.
        observe: Called for each batch with its number of examples and the number still waiting.
    """

    def __init__(
        self,
        compute: Compute,
        executor: Executor,
        *,
        batch_rows: int,
        delay_seconds: float,
        queue_rows: int,
        observe: Callable[[int, int], None],
    ) -> None:
        self._compute = compute
        self._executor = executor
        self._batch_rows = batch_rows
        self._delay_seconds = delay_seconds
        self._queue_rows = queue_rows
        self._observe = observe
        self._queue: deque[_Waiting] = deque()
        self._waiting_rows = 0
        self._full = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, inputs: Arrays, rows: int) -> dict[str, np.ndarray]:
        """Computes the outputs of one request.

        Args:
            inputs: Checked arrays, `rows` examples each.
            rows: Number of examples; above `batch_rows` they are computed piece by piece.

        Raises:
            TooLargeError: The request alone is larger than the queue.
            OverloadedError: Too many examples wait already.
            Exception: What `compute` raises for the examples of this request.
        """
        if rows > self._queue_rows:
            raise too_many_examples(rows, self._queue_rows)
        if self._waiting_rows + rows > self._queue_rows:
            raise OverloadedError(
                f"{self._waiting_rows} examples wait already and {self._queue_rows} may: "
                "try again later"
            )
        pieces = [self._enqueue(piece, count) for piece, count in self._cut(inputs, rows)]
        outputs = await asyncio.gather(*pieces)
        if len(outputs) == 1:
            return outputs[0]
        return {name: np.concatenate([piece[name] for piece in outputs]) for name in outputs[0]}

    def _cut(self, inputs: Arrays, rows: int) -> list[tuple[Arrays, int]]:
        if rows <= self._batch_rows:
            return [(inputs, rows)]
        starts = range(0, rows, self._batch_rows)
        return [
            (
                {name: array[start : start + self._batch_rows] for name, array in inputs.items()},
                min(self._batch_rows, rows - start),
            )
            for start in starts
        ]

    def _enqueue(self, inputs: Arrays, rows: int) -> asyncio.Future[dict[str, np.ndarray]]:
        outputs = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(inputs, rows, outputs))
        self._waiting_rows += rows
        if self._waiting_rows >= self._batch_rows:
            self._full.set()
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return outputs

    async def _work(self) -> None:
        """Computes batches until the queue is empty."""
        try:
            while self._queue:
                await self._wait_for_more()
                batch = self._take()
                if batch:
                    self._observe(sum(waiting.rows for waiting in batch), self._waiting_rows)
                    await self._answer(batch)
        finally:
            self._worker = None

    async def _wait_for_more(self) -> None:
        if self._delay_seconds and self._waiting_rows < self._batch_rows:
            self._full.clear()
            try:
                await asyncio.wait_for(self._full.wait(), self._delay_seconds)
            except TimeoutError:
                return

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        rows = 0
        while self._queue and rows + self._queue[0].rows <= self._batch_rows:
            waiting = self._queue.popleft()
            self._waiting_rows -= waiting.rows
            # The client may have closed its connection.
            if not waiting.outputs.done():
                batch.append(waiting)
                rows += waiting.rows
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        try:
            outputs = await self._run(_joined(batch))
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0], error)
                return
            # One request's bad example must not fail the other requests of the batch.
            for waiting in batch:
                await self._answer([waiting])
            return
        start = 0
        for waiting in batch:
            end = start + waiting.rows
            if not waiting.outputs.done():
                waiting.outputs.set_result({name: a[start:end] for name, a in outputs.items()})
            start = end

    async def _run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, self._compute, inputs
        )


def _joined(batch: list[_Waiting]) -> Arrays:
    if len(batch) == 1:
        return batch[0].inputs
    return {
        name: np.concatenate([waiting.inputs[name] for waiting in batch])
        for name in batch[0].inputs
    }


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.outputs.done():
        waiting.outputs.set_exception(error)
