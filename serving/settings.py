"""Settings of the server, each with its option and bounds; its port and its open files."""

import contextlib
import dataclasses
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline_config import UserInputError


@dataclasses.dataclass(frozen=True)
class Option:
    """Command-line option of a setting, with its default and range in the option's own unit.

    Attributes:
        unit: The setting's value for 1 of the option, such as 2**20 bytes for 1 MiB.
    """

    name: str
    default: float
    least: float
    most: float
    help: str
    unit: float = 1


def _setting(
    name: str, default: float, least: float, most: float, help_: str, unit: float = 1
) -> Any:
    option = Option(name, default, least, most, help_, unit)
    return dataclasses.field(default=default * unit, metadata={"option": option})


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Settings of the server; the help of each option says what it sets.

    Attributes:
        models_dir: The push directory: MODEL/VERSION/saved_model.pb.
        host: Address to listen at.
        batch_rows: A larger request is cut into pieces of that many examples.
        batch_delay_seconds: With 0 a request for an idle model is computed at once; those that
            arrive meanwhile make the next batch.
        queue_rows: A request with more examples is refused even if the queue is empty.
        cors_origins: Origins whose web pages may send requests over HTTP; `*` for all.

    Raises:
        UserInputError: A value is out of its range, both ports are the same, or there is no such
            folder.
    """

    models_dir: Path
    host: str = "127.0.0.1"
    port: int = _setting("--port", 8501, 0, 65535, "HTTP; 0 takes a free one.")
    grpc_port: int = _setting("--grpc-port", 8500, 0, 65535, "gRPC; 0 takes a free one.")
    poll_seconds: float = _setting(
        "--poll-seconds", 1.0, 0.05, 3600, "Time between two looks at the push directory."
    )
    batch_rows: int = _setting("--batch-rows", 128, 1, 100_000, "Most examples computed in one go.")
    batch_delay_seconds: float = _setting(
        "--batch-delay-ms",
        0.0,
        0,
        10_000,
        "How long a batch that is not full waits for more requests.",
        unit=1e-3,
    )
    queue_rows: int = _setting(
        "--queue-rows",
        8192,
        1,
        10_000_000,
        "Examples that may wait for a model; beyond that the answer is 503.",
    )
    body_bytes: int = _setting(
        "--body-mib", 64, 1, 2047, "Largest body of a request; beyond, 413.", unit=2**20
    )
    body_seconds: float = _setting(
        "--body-seconds",
        30.0,
        0.1,
        3600,
        "Time for the next 16 KiB of an HTTP body, or for its rest; beyond, 408.",
    )
    header_bytes: int = _setting(
        "--header-kib", 32, 1, 1024, "Largest head of an HTTP request; beyond, 431.", unit=2**10
    )
    header_seconds: float = _setting(
        "--header-seconds", 10.0, 0.1, 3600, "Time for the head of an HTTP request; beyond, 408."
    )
    idle_seconds: float = _setting(
        "--idle-seconds",
        65.0,
        0.1,
        86_400,
        "Time that an HTTP connection stays open without a request.",
    )
    connections: int = _setting(
        "--connections",
        512,
        1,
        1_000_000,
        "HTTP connections at a time; beyond, the one that waits the longest is closed. Default: "
        "as many as the open files allow, up to 10,000.",
    )
    cors_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.models_dir.is_dir():
            raise UserInputError(
                f"{self.models_dir}: no such folder; run a pipeline first, or name the folder that "
                "holds the models with --models-dir"
            )
        for name, option in options().items():
            value = getattr(self, name) / option.unit
            if not option.least <= value <= option.most:
                raise UserInputError(
                    f"{option.name}={value:.15g}: expected {option.least} to {option.most}"
                )
        if self.port == self.grpc_port != 0:
            raise UserInputError(
                f"--port and --grpc-port are both {self.port}: give each a port of its own"
            )


def options() -> dict[str, Option]:
    """Returns the settings that are numbers, each with its command-line option."""
    return {
        field.name: field.metadata["option"]
        for field in dataclasses.fields(ServerSettings)
        if "option" in field.metadata
    }


_OTHER_FILES = 256
"""Files of the models, of gRPC's connections, and of connections that are being closed."""

_MOST_CONNECTIONS = 10_000


@contextlib.contextmanager
def bound_socket(host: str, port: int, option: str) -> Iterator[socket.socket]:
    """Binds a port of this machine.

    Args:
        host: Address, IPv4 or IPv6, or a host name.
        port: The port; 0 takes a free one.
        option: Name of the option on the command line, for the message.

    Raises:
        UserInputError: The port is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only if the protocol is named; it would delay the second
    # packet of an answer by 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except OSError as error:
            raise port_in_use(host, port, option) from error
        yield bound


def port_in_use(host: str, port: int, option: str) -> UserInputError:
    """Returns the error for a port that is not available."""
    return UserInputError(
        f"cannot listen at {host}, port {port}: is it in use? choose another with --{option}"
    )


def connections_for(wanted: int | None) -> int:
    """Raises the limit of open files as far as allowed; returns the bound of HTTP connections.

    Args:
        wanted: Value of `--connections`; None for as many as there is room for, up to 10,000.

    Raises:
        UserInputError: There is no room for that many.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS if wanted is None else wanted
    room = max(hard - _OTHER_FILES, hard // 2)
    if wanted is None:
        return min(room, _MOST_CONNECTIONS)
    if wanted > room:
        raise UserInputError(
            f"--connections={wanted}: this process may open {hard} files, which leaves room for "
            f"{room}; raise the hard limit (ulimit -Hn) first"
        )
    return wanted
