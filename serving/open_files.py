"""How many connections the files leave room for that the process may open."""

import resource

from serving.settings import ServerInputError

_OTHERS = 256
"""Files of the models, of gRPC's connections, and of connections that are being closed."""

_ENOUGH = 10_000


def connections_for(wanted: int | None) -> int:
    """Raises the limit of open files as far as it goes, and returns the bound of HTTP connections.

    Args:
        wanted: What `--connections` asks for; None for as many as there is room for, up to 10,000.

    Raises:
        ServerInputError: There is no room for that many.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return _ENOUGH if wanted is None else wanted
    room = max(hard - _OTHERS, hard // 2)
    if wanted is None:
        return min(room, _ENOUGH)
    if wanted > room:
        raise ServerInputError(
            f"--connections={wanted}: this process may open {hard} files, which leaves room for "
            f"{room}; raise the hard limit (ulimit -Hn) first"
        )
    return wanted
