"""Ports and open files of the process, reserved before anything slow is imported."""

import contextlib
import resource
import socket
from collections.abc import Iterator

from pipeline_config import UserInputError

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
