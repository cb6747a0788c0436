"""How the server is set up."""

import dataclasses
from pathlib import Path


class ServerInputError(ValueError):
    """The server cannot start as asked; the message is one line that says what to do."""


_BOUNDS = (
    ("port", "--port", 1, 0, 65535),
    ("grpc_port", "--grpc-port", 1, 0, 65535),
    ("poll_seconds", "--poll-seconds", 1, 0.05, 3600),
    ("batch_rows", "--batch-rows", 1, 1, 100_000),
    ("batch_delay_seconds", "--batch-delay-ms", 1e-3, 0, 10_000),
    ("queue_rows", "--queue-rows", 1, 1, 10_000_000),
    ("body_bytes", "--body-mib", 2**20, 1, 2047),
    ("body_seconds", "--body-seconds", 1, 0.1, 3600),
    ("header_bytes", "--header-kib", 2**10, 1, 1024),
    ("header_seconds", "--header-seconds", 1, 0.1, 3600),
    ("idle_seconds", "--idle-seconds", 1, 0.1, 86_400),
    ("connections", "--connections", 1, 1, 1_000_000),
)
"""Setting, its option, how much of the setting one unit of the option is, least and greatest."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """What the command line asked for.

    Attributes:
        models_dir: The push directory: MODEL/VERSION/saved_model.pb.
        host: Address to listen at.
        port: Port of HTTP; 0 takes a free one.
        grpc_port: Port of gRPC; 0 takes a free one.
        poll_seconds: Time between two looks at the push directory.
        batch_rows: Most examples computed in one go; a larger request is cut into such pieces.
        batch_delay_seconds: How long a batch that is not full waits for company. With 0 a request
            that finds the model idle is computed at once; those that come meanwhile make the next
            batch.
        queue_rows: Examples that may wait for one model; beyond that a request is answered 503.
            One request with more is refused, also while nothing waits.
        body_bytes: Largest body of a request.
        body_seconds: How long the next 16 KiB of an HTTP body, or its rest, may take to arrive.
        header_bytes: Largest head of an HTTP request: its line and headers.
        header_seconds: How long the head of an HTTP request may take to arrive.
        idle_seconds: How long an HTTP connection may stay open without a request.
        connections: HTTP connections at a time; beyond that, the one that has waited the longest
            for its client is closed.
        cors_origins: Origins whose web pages may ask over HTTP; `*` for all.

    Raises:
        ServerInputError: A value is out of its range, both ports are the same, or there is no such
            folder.
    """

    models_dir: Path
    host: str = "127.0.0.1"
    port: int = 8501
    grpc_port: int = 8500
    poll_seconds: float = 1.0
    batch_rows: int = 128
    batch_delay_seconds: float = 0.0
    queue_rows: int = 8192
    body_bytes: int = 64 * 2**20
    body_seconds: float = 30.0
    header_bytes: int = 32 * 2**10
    header_seconds: float = 10.0
    idle_seconds: float = 65.0
    connections: int = 512
    cors_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.models_dir.is_dir():
            raise ServerInputError(
                f"{self.models_dir}: no such folder; run a pipeline first, or name the folder that "
                "holds the models with --models-dir"
            )
        for name, option, unit, least, greatest in _BOUNDS:
            value = getattr(self, name) / unit
            if not least <= value <= greatest:
                raise ServerInputError(f"{option}={value:.15g}: expected {least} to {greatest}")
        if self.port == self.grpc_port != 0:
            raise ServerInputError(
                f"--port and --grpc-port are both {self.port}: give each a port of its own"
            )
