"""gRPC's health checking, for the server and for each model.

See https://github.com/grpc/grpc/blob/master/doc/health-checking.md.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.errors import NotServedError
from serving.watched_directory import PushDirectory

SERVICES = (
    "",
    "inference.GRPCInferenceService",
    "tensorflow.serving.ModelService",
    "tensorflow.serving.PredictionService",
)
"""Names of the whole server."""

_WATCH_SECONDS = 0.5

_Status = health_pb2.HealthCheckResponse


class ModelHealth(health_pb2_grpc.HealthServicer):
    """Health of the server, which serves if one of its models does, and of each model.

    Args:
        directory: The models; a request may name one.
    """

    def __init__(self, directory: PushDirectory) -> None:
        self._directory = directory
        self._stopping = asyncio.Event()

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> health_pb2.HealthCheckResponse:
        """Returns the status of the server or of a model.

        Raises:
            NotServedError: There is no such model.
        """
        status = self._status(request.service)
        if status == _Status.SERVICE_UNKNOWN:
            raise NotServedError(f"no model or service {request.service!r}")
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Yields the status now and after each change of it, until the server stops."""
        last = None
        while True:
            status = self._status(request.service)
            if status != last:
                last = status
                yield health_pb2.HealthCheckResponse(status=status)
            if self._stopping.is_set():
                return
            try:
                await asyncio.wait_for(self._stopping.wait(), _WATCH_SECONDS)
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Reports NOT_SERVING from now on, also to those who watch."""
        self._stopping.set()

    def _status(self, service: str) -> int:
        model = self._directory.models.get(service)
        if service in SERVICES:
            serves = self._directory.ready
        elif model is not None:
            serves = model.default is not None
        else:
            return int(_Status.SERVICE_UNKNOWN)
        return int(
            _Status.SERVING if serves and not self._stopping.is_set() else _Status.NOT_SERVING
        )
