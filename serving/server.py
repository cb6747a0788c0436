"""The model server: KServe's HTTP server and gRPC's, with the models of a push directory."""

import asyncio
import gc
import logging
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvloop

from serving.grpc_server import GrpcServer
from serving.http_server import HttpServer
from serving.open_inference import PushDirectoryDataPlane
from serving.settings import ServerSettings, port_in_use
from serving.watched_directory import PushDirectory

_LOG = logging.getLogger(__name__)


def serve(settings: ServerSettings, bound: socket.socket) -> None:
    """Serves the push directory until the process gets a signal to stop.

    Args:
        settings: Settings of the server.
        bound: Socket of the HTTP server, bound and not listening yet.

    Raises:
        UserInputError: A port is not available.
    """
    # A full garbage collection over all that TensorFlow imported would delay every request by a
    # third of a second. Versions are loaded later and are collected as usual.
    gc.collect()
    gc.freeze()
    uvloop.run(_serve(settings, bound))


async def _serve(settings: ServerSettings, bound: socket.socket) -> None:
    """Watches the push directory and serves it over HTTP and gRPC."""
    directory = PushDirectory(
        settings,
        loading=ThreadPoolExecutor(1, thread_name_prefix="load"),
        computing=ThreadPoolExecutor(2, thread_name_prefix="compute"),
    )
    data_plane = PushDirectoryDataPlane(directory)
    http_server = HttpServer(data_plane, settings, bound)
    grpc_server = GrpcServer(data_plane, settings)
    stopping: list[asyncio.Task[None]] = []

    def stop(*_: Any) -> None:
        """Ends the watch, and the gRPC server; the HTTP server handles the signal itself."""
        directory.stop()
        stopping.append(asyncio.create_task(grpc_server.stop()))

    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, stop)
    _listen(settings, bound, grpc_server)
    await asyncio.gather(directory.watch(), http_server.start(), grpc_server.start())


def _listen(settings: ServerSettings, bound: socket.socket, grpc_server: GrpcServer) -> None:
    """Opens both ports: from here on a client waits for its answer instead of being refused."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        grpc_port = grpc_server.bind(f"{host}:{settings.grpc_port}")
    except RuntimeError as error:
        raise port_in_use(settings.host, settings.grpc_port, "grpc-port") from error
    try:
        bound.listen(2048)
    except OSError as error:
        # Another server has bound the port as well and was the first to listen.
        raise port_in_use(settings.host, settings.port, "port") from error
    port = bound.getsockname()[1]
    _LOG.info(
        "serving %s: REST http://%s:%d, gRPC %s:%d",
        settings.models_dir,
        host,
        port,
        host,
        grpc_port,
    )
