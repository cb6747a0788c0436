"""The model server: KServe's, with the models of a push directory."""

import asyncio
import gc
import logging
import socket
from concurrent.futures import ThreadPoolExecutor

import uvloop
from kserve import ModelServer

from serving.grpc_server import GrpcServer
from serving.http_server import HttpServer
from serving.open_inference import (
    PushDirectoryDataPlane,
    PushDirectoryRepository,
    ReadOnlyRepositoryExtension,
)
from serving.settings import ServerSettings, port_in_use
from serving.watched_directory import PushDirectory

_LOG = logging.getLogger(__name__)

GRACE_SECONDS = 30


def serve(settings: ServerSettings, bound: socket.socket) -> None:
    """Serves the push directory until the process gets a signal to stop.

    Args:
        settings: Settings of the server.
        bound: Socket of the HTTP server, bound and not listening yet.

    Raises:
        UserInputError: A port is not available.
    """
    uvloop.run(PushDirectoryServer(settings, bound).run())


class PushDirectoryServer(ModelServer):
    """KServe's server whose models are those of the push directory.

    Args:
        settings: Settings of the server.
        bound: Socket of the HTTP server.
    """

    def __init__(self, settings: ServerSettings, bound: socket.socket) -> None:
        self._directory = PushDirectory(
            settings,
            loading=ThreadPoolExecutor(1, thread_name_prefix="load"),
            computing=ThreadPoolExecutor(2, thread_name_prefix="compute"),
        )
        repository = PushDirectoryRepository(self._directory)
        super().__init__(
            http_port=settings.port,
            grpc_port=settings.grpc_port,
            registered_models=repository,
            enable_latency_logging=False,
            grace_period=GRACE_SECONDS,
        )
        self._settings = settings
        self._bound = bound
        self.model_repository_extension = ReadOnlyRepositoryExtension(repository)
        self.dataplane = PushDirectoryDataPlane(repository, self._directory)

    async def run(self) -> None:
        """Serves over HTTP and gRPC and watches the push directory.

        Raises:
            UserInputError: A port is not available.
        """
        settings = self._settings
        # A full garbage collection over all that TensorFlow imported would delay every request by a
        # third of a second. Versions are loaded later and are collected as usual.
        gc.collect()
        gc.freeze()
        self._rest_server = HttpServer(
            self.dataplane, self.model_repository_extension, self._directory, settings, self._bound
        )
        self._grpc_server = GrpcServer(
            self.dataplane, self.model_repository_extension, self._directory, settings
        )
        host = _for_address(settings.host)
        try:
            grpc_port = self._grpc_server.bind(f"{host}:{settings.grpc_port}")
        except RuntimeError as error:
            raise port_in_use(settings.host, settings.grpc_port, "grpc-port") from error
        # From here on a client waits for its answer instead of being refused.
        try:
            self._bound.listen(2048)
        except OSError as error:
            # Another server has bound the port as well and was the first to listen.
            raise port_in_use(settings.host, settings.port, "port") from error
        asyncio.get_running_loop().set_exception_handler(self.default_exception_handler)
        self.register_signal_handler()
        _LOG.info(
            "serving %s: REST http://%s:%d, gRPC %s:%d",
            settings.models_dir,
            host,
            self._bound.getsockname()[1],
            host,
            grpc_port,
        )
        self.servers = [
            self._directory.watch(),
            self._rest_server.start(),
            self._grpc_server.start(),
        ]
        await self._serve()

    def stop(self, sig: int) -> None:
        """Ends the watch, and the gRPC server after the requests in hand.

        The HTTP server handles the signal itself.
        """
        self._directory.stop()
        self._stopping = asyncio.create_task(self._grpc_server.stop(sig))


def _for_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
