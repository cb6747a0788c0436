"""KServe's gRPC server, with TensorFlow Serving's services beside its own."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from google.protobuf.runtime_version import VersionError
from grpc import aio
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc
from kserve.protocol.grpc.server import GRPCServer
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.grpc_intake import Intake
from serving.grpc_requests import RequestHandling
from serving.open_inference import ReadOnlyRepositoryExtension
from serving.open_inference_grpc import VersionedInferenceServicer
from serving.settings import ServerSettings
from serving.tf_serving_grpc import ModelService, PredictionService
from serving.watched_directory import PushDirectory

_LOG = logging.getLogger(__name__)

_RPCS_IN_HAND = 1024
"""gRPC answers RESOURCE_EXHAUSTED beyond."""

_MESSAGES_IN_HAND = 4
"""Messages of the largest size that are held at the same time; of small ones it is thousands."""


class GrpcServer(GRPCServer):
    """KServe's gRPC server with TensorFlow Serving's services beside its own."""

    def __init__(
        self,
        data_plane: DataPlane,
        extension: ReadOnlyRepositoryExtension,
        directory: PushDirectory,
        settings: ServerSettings,
    ) -> None:
        super().__init__(settings.grpc_port, data_plane, extension, kwargs={})
        intake = Intake(
            held_bytes=_MESSAGES_IN_HAND * settings.body_bytes,
            executor=ThreadPoolExecutor(1, thread_name_prefix="grpc-large"),
        )
        self._server = aio.server(
            ThreadPoolExecutor(max_workers=1),
            maximum_concurrent_rpcs=_RPCS_IN_HAND,
            interceptors=(RequestHandling(intake),),
            options=[
                ("grpc.max_receive_message_length", settings.body_bytes),
                ("grpc.max_send_message_length", -1),
                # Two servers on one port would share the requests without a word.
                ("grpc.so_reuseport", 0),
            ],
        )
        grpc_predict_v2_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
            VersionedInferenceServicer(data_plane, extension, intake), self._server
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(directory, intake), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(directory), self._server
        )
        self._stop_health = _add_health(directory, self._server)

    def bind(self, address: str) -> int:
        """Takes the port and returns its number.

        Raises:
            RuntimeError: It cannot be had.
        """
        return int(self._server.add_insecure_port(address))

    async def start(self, max_workers: int = 1) -> None:
        """Serves until `stop` is called."""
        await self._server.start()
        await self._server.wait_for_termination()

    async def stop(self, sig: int | None = None) -> None:
        """Refuses new requests and ends when those in hand are answered, or the grace is over."""
        self._stop_health()
        await self._server.stop(self._grace_period)


def _add_health(directory: PushDirectory, server: aio.Server) -> Callable[[], None]:
    """Adds health checking and returns what ends it."""
    try:
        from grpc_health.v1 import health_pb2_grpc

        from serving.grpc_health import ModelHealth
    except (ImportError, VersionError) as error:
        _LOG.warning("no gRPC health checking: %s; install the locked requirements", error)
        return lambda: None
    health = ModelHealth(directory)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    return health.stop
