"""KServe's HTTP server, with TensorFlow Serving's surface beside its own."""

import asyncio
import contextlib
import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from socket import socket

import uvicorn
from fastapi import FastAPI
from kserve.protocol.rest.server import RESTServer
from starlette.middleware.cors import CORSMiddleware

from serving.body_limit import BodyLimit
from serving.errors import HTTP_HANDLERS
from serving.http_connection import HttpConnection, OpenConnections
from serving.open_inference import PushDirectoryDataPlane, ReadOnlyRepositoryExtension
from serving.open_inference_rest import open_inference_routes
from serving.settings import ServerSettings
from serving.tf_serving_rest import tf_serving_routes

_BODIES_IN_MEMORY = 4
"""Bodies of the largest size that may be in memory; of small ones it is thousands."""

_DECODED_AT_A_TIME = 2

_ACCEPT_SECONDS = 0.2


class HttpServer(RESTServer):
    """KServe's HTTP server on a socket that is bound already."""

    def __init__(
        self, data_plane: PushDirectoryDataPlane, settings: ServerSettings, bound: socket
    ) -> None:
        extension = ReadOnlyRepositoryExtension(data_plane.model_registry)
        super().__init__("kserve.model_server:app", data_plane, extension, bound.getsockname()[1])
        self._models = data_plane
        self._connections = OpenConnections(settings)
        # A log line would take longer than the request itself.
        self.config.access_log = False
        self.config.http = functools.partial(HttpConnection, self._connections)
        self.config.ws = "none"
        self.config.timeout_keep_alive = settings.idle_seconds
        self._server = EndingServer(self.config, self._connections)
        self._settings = settings
        self._bound = bound
        self._decoding = ThreadPoolExecutor(_DECODED_AT_A_TIME, thread_name_prefix="decode")

    async def start(self) -> None:
        """Serves until the process gets a signal to stop."""
        self.create_application()
        watch = asyncio.create_task(self._connections.watch())
        try:
            await self._server.serve(sockets=[self._bound])
        finally:
            watch.cancel()

    def _register_endpoints(self, app: FastAPI) -> None:
        # The first route that matches answers, so these come before KServe's.
        app.router.routes.extend(tf_serving_routes(self._models.directory, self._decoding))
        app.router.routes.extend(open_inference_routes(self._models, self._decoding))
        super()._register_endpoints(app)

    def _add_exception_handlers(self, app: FastAPI) -> None:
        super()._add_exception_handlers(app)
        for kind, handler in HTTP_HANDLERS.items():
            app.add_exception_handler(kind, handler)

    def _add_middlewares(self, app: FastAPI) -> None:
        # KServe's own middleware times requests for a log that is off here.
        settings = self._settings
        app.add_middleware(
            BodyLimit,
            limit=settings.body_bytes,
            held_limit=_BODIES_IN_MEMORY * settings.body_bytes,
            seconds=settings.body_seconds,
            executor=self._decoding,
        )
        # The last one added is asked first.
        if settings.cors_origins:
            app.add_middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
            )


class EndingServer(uvicorn.Server):
    """uvicorn's server; before it ends it answers requests that are on their way.

    Args:
        config: uvicorn's configuration.
        connections: The connections of the server.
    """

    def __init__(self, config: uvicorn.Config, connections: OpenConnections) -> None:
        super().__init__(config)
        self._connections = connections

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Refuses new clients, and answers present ones within the grace period."""
        self._connections.end()
        for listening in sockets or []:
            listening.listen(0)
        await asyncio.sleep(_ACCEPT_SECONDS)
        # Connections that the kernel has accepted meanwhile would be reset with the socket.
        accepted = [each for listening in sockets or [] for each in _accepted(listening)]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for each in accepted:
            await loop.connect_accepted_socket(self._protocol, each)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        return HttpConnection(
            self._connections,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )


def _accepted(listening: socket) -> Iterator[socket]:
    with contextlib.suppress(BlockingIOError):
        while True:
            yield listening.accept()[0]
