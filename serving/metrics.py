"""What Prometheus is told, at `/metrics` beside KServe's own metrics."""

import contextlib

from prometheus_client import Counter, Gauge, Histogram

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


def forget_version(model: str, version: int) -> None:
    """Drops what is told of a version that is no longer in memory."""
    for metric in (LOADED, EXAMPLES, ANOMALIES, ERROR):
        # It may have gone without an answer, and so without a series of its own.
        with contextlib.suppress(KeyError):
            metric.remove(model, str(version))
