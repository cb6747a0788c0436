"""The server's ports, taken before anything slow is imported."""

import contextlib
import socket
from collections.abc import Iterator

from serving.settings import ServerInputError


@contextlib.contextmanager
def bound_socket(host: str, port: int, option: str) -> Iterator[socket.socket]:
    """Takes a port of this machine.

    Args:
        host: Address, IPv4 or IPv6, or a name of it.
        port: The port; 0 takes a free one.
        option: How the command line calls it.

    Raises:
        ServerInputError: It cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio knows that it may turn Nagle's algorithm off, which would
    # hold back the second packet of an answer for 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except OSError as error:
            raise taken(host, port, option) from error
        yield bound


def taken(host: str, port: int, option: str) -> ServerInputError:
    """Returns the error that tells of a port that cannot be had."""
    return ServerInputError(
        f"cannot listen at {host}, port {port}: is it in use? choose another with --{option}"
    )
