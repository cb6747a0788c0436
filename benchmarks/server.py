"""Throughput and latency of `aepipe serve` beside a plain FastAPI handler, in one run.

    python benchmarks/server.py output/serving/ecg_anomaly_detector [--seconds 5] [--json]

Both servers are up all the time and are asked in turn with the same requests over the same client,
which runs in this process; the version is the newest in the folder. A client is one connection
that sends its next request when the answer to the last one is there. `ratio` is requests a second
of aepipe over HTTP divided by those of the plain handler.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import numpy as np
import uvloop
from grpc import aio
from rich.console import Console
from rich.table import Table
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

CONCURRENCY = (1, 8, 64)
BATCHES = (1, 64)
WARMUP_SECONDS = 1.0
PREDICT = "/tensorflow.serving.PredictionService/Predict"

Client = Callable[[], Awaitable[None]]


@dataclasses.dataclass(frozen=True)
class Point:
    """What one server did under one load."""

    server: str
    batch: int
    concurrency: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of one model in the push directory")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    model = arguments.model.absolute()
    with servers(model) as (ours, ours_grpc, plain):
        points = uvloop.run(measure(model, ours, ours_grpc, plain, arguments.seconds))
    if arguments.json:
        print(json.dumps([dataclasses.asdict(point) for point in points]))
    else:
        print_points(points)


@contextlib.contextmanager
def servers(model: Path) -> Iterator[tuple[int, int, int]]:
    """Starts both servers and yields the ports: aepipe's HTTP and gRPC, the plain one's."""
    version = max((p for p in model.iterdir() if p.name.isdecimal()), key=lambda p: int(p.name))
    ours, ours_grpc, plain = (free_port() for _ in range(3))
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as alone, contextlib.ExitStack() as stack:
        Path(alone, model.name).symlink_to(model)
        for command in (
            [
                "-m",
                "serving",
                f"--models-dir={alone}",
                f"--port={ours}",
                f"--grpc-port={ours_grpc}",
            ],
            [str(here / "plain_server.py"), str(version), str(plain)],
        ):
            environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
            process = subprocess.Popen([sys.executable, *command], env=environment, cwd=here.parent)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        wait_for(f"http://127.0.0.1:{ours}/v2/health/ready")
        wait_for(f"http://127.0.0.1:{plain}/ready")
        yield ours, ours_grpc, plain


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


async def measure(
    model: Path, ours: int, ours_grpc: int, plain: int, seconds: float
) -> list[Point]:
    points = []
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        aio.insecure_channel(f"127.0.0.1:{ours_grpc}") as channel,
    ):
        for batch in BATCHES:
            signal = np.random.default_rng(0).normal(size=(batch, 140)).astype(np.float32)
            clients = {
                "aepipe http": http_client(
                    session, f"http://127.0.0.1:{ours}/v1/models/{model.name}:predict", signal
                ),
                "plain http": http_client(session, f"http://127.0.0.1:{plain}/predict", signal),
                "aepipe grpc": grpc_client(channel, model.name, signal),
            }
            for concurrency in CONCURRENCY:
                for server, client in clients.items():
                    await load(client, concurrency, WARMUP_SECONDS)
                    times = await load(client, concurrency, seconds)
                    points.append(point(server, batch, concurrency, seconds, times))
    return points


def http_client(session: aiohttp.ClientSession, url: str, signal: np.ndarray) -> Client:
    body = json.dumps({"instances": signal.round(6).tolist()}).encode()
    headers = {"content-type": "application/json"}

    async def call() -> None:
        async with session.post(url, data=body, headers=headers) as response:
            await response.read()
            response.raise_for_status()

    return call


def grpc_client(channel: aio.Channel, model: str, signal: np.ndarray) -> Client:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_content=signal.tobytes())
    for size in signal.shape:
        tensor.tensor_shape.dim.add(size=size)
    request.inputs["signal"].CopyFrom(tensor)
    content = request.SerializeToString()
    predict = channel.unary_unary(PREDICT)

    async def call() -> None:
        await predict(content)

    return call


async def load(client: Client, concurrency: int, seconds: float) -> list[float]:
    """Returns the seconds that each request took."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def ask_again_and_again() -> None:
        while (start := time.perf_counter()) < end:
            await client()
            times.append(time.perf_counter() - start)

    await asyncio.gather(*(ask_again_and_again() for _ in range(concurrency)))
    return times


def point(server: str, batch: int, concurrency: int, seconds: float, times: list[float]) -> Point:
    p50, p99 = np.quantile(times, [0.5, 0.99]) * 1000
    return Point(
        server, batch, concurrency, round(len(times) / seconds, 1), round(p50, 2), round(p99, 2)
    )


def print_points(points: list[Point]) -> None:
    table = Table(box=None, header_style="bold")
    for column in ("batch", "clients", "server", "requests/s", "p50 ms", "p99 ms", "ratio"):
        table.add_column(column, justify="left" if column == "server" else "right")
    plain = {(p.batch, p.concurrency): p for p in points if p.server.startswith("plain")}
    for p in points:
        ratio = p.requests_per_second / plain[p.batch, p.concurrency].requests_per_second
        table.add_row(
            str(p.batch),
            str(p.concurrency),
            p.server,
            f"{p.requests_per_second:.0f}",
            f"{p.p50_ms:.1f}",
            f"{p.p99_ms:.1f}",
            f"{ratio:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
