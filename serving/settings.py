"""How the server is set up."""

import dataclasses
from pathlib import Path

from serving.errors import ServerInputError


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

    Raises:
        ServerInputError: A value is out of its range, or there is no such folder.
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

    def __post_init__(self) -> None:
        if not self.models_dir.is_dir():
            raise ServerInputError(
                f"{self.models_dir}: no such folder; run a pipeline first, or name the folder that "
                "holds the models with --models-dir"
            )
        for name, least, greatest in (
            ("port", 0, 65535),
            ("grpc_port", 0, 65535),
            ("poll_seconds", 0.05, 3600),
            ("batch_rows", 1, 100_000),
            ("batch_delay_seconds", 0, 10),
            ("queue_rows", 1, 10_000_000),
            ("body_bytes", 1024, 2**31 - 1),
        ):
            value = getattr(self, name)
            if not least <= value <= greatest:
                raise ServerInputError(
                    f"{name.replace('_', '-')}={value}: expected {least} to {greatest}"
                )
