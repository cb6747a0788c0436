"""Metrics for Prometheus, at `/metrics` beside KServe's own metrics."""

import contextlib
from collections.abc import Iterator
from http import HTTPStatus

from prometheus_client import Counter, Gauge, Histogram

from serving.errors import RequestError

REQUESTS = Counter(
    "aepipe_requests",
    "Prediction requests, by HTTP status or gRPC status name.",
    ["model", "protocol", "status"],
)
LATENCY = Histogram(
    "aepipe_request_seconds",
    "Time from a decoded request to its outputs, the wait for the batch included.",
    ["model", "protocol"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
EXAMPLES = Counter("aepipe_examples", "Examples scored.", ["model", "version"])
ANOMALIES = Counter("aepipe_anomalies", "Examples found to be anomalies.", ["model", "version"])
ERROR = Histogram(
    "aepipe_reconstruction_error",
    "Reconstruction errors of the examples scored, in scaled units.",
    ["model", "version"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.2, 0.5, 1.0),
)
BATCH_ROWS = Histogram(
    "aepipe_batch_rows",
    "Examples computed in one go.",
    ["model"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
)
QUEUE_ROWS = Gauge("aepipe_queue_rows", "Examples that wait.", ["model"])
LOADED = Gauge("aepipe_version_loaded", "1 for each version in memory.", ["model", "version"])
DEFAULT_VERSION = Gauge(
    "aepipe_default_version", "The version that answers a request which names none.", ["model"]
)
LOAD_FAILURES = Counter("aepipe_version_load_failures", "Versions that did not load.", ["model"])


@contextlib.contextmanager
def counted(model: str, protocol: str, *, http: bool = False) -> Iterator[None]:
    """Counts a prediction request by its status, once it is answered.

    Args:
        model: Name of the model.
        protocol: Label of the protocol.
        http: Count the HTTP status, not the name of gRPC's.
    """
    status: int | str = int(HTTPStatus.INTERNAL_SERVER_ERROR) if http else "INTERNAL"
    try:
        yield
        status = int(HTTPStatus.OK) if http else "OK"
    except RequestError as error:
        status = int(error.http) if http else error.grpc.name
        raise
    finally:
        REQUESTS.labels(model, protocol, status).inc()


def forget_version(model: str, version: int) -> None:
    """Removes the series of a version that is no longer in memory."""
    for metric in (LOADED, EXAMPLES, ANOMALIES, ERROR):
        # A version that never answered has no series.
        with contextlib.suppress(KeyError):
            metric.remove(model, str(version))
