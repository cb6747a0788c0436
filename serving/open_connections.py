"""The open HTTP connections of a server, and the bounds that they share."""

import asyncio
import itertools
from typing import Protocol

from serving.settings import ServerSettings


class Connection(Protocol):
    """What the connections of a server need of each one."""

    def give_way(self) -> None:
        """Closes the connection so that there is room for another one."""

    def check_patience(self, now: float) -> None:
        """Closes the connection if its client has been waited for too long."""

    def shutdown(self) -> None:
        """Makes the current answer, or the next one, the last."""


class OpenConnections:
    """The open connections of a server.

    A new connection beyond the bound closes the one that has waited the longest for its client.

    Attributes:
        settings: The bounds.
        strangers: Connections that wait for a first request; the longest waiting one first.
        waiting: Connections that wait for more after an answer, in the same order; they are closed
            only if there is no stranger.
        lingering: Number of refused connections that are still open.
        ending: Whether the server ends.

    Args:
        settings: The bounds.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.strangers: dict[Connection, None] = {}
        self.waiting: dict[Connection, None] = {}
        self.lingering = 0
        self.ending = False
        self._open: set[Connection] = set()

    def add(self, connection: Connection) -> bool:
        """Adds a connection; closes the longest waiting one if there are too many.

        Returns:
            Whether there is room for it.
        """
        if len(self._open) >= self.settings.connections:
            oldest = next(itertools.chain(self.strangers, self.waiting), None)
            if oldest is None:
                return False
            oldest.give_way()
        self._open.add(connection)
        return True

    def remove(self, connection: Connection) -> None:
        """Removes a connection that is closed or about to be closed."""
        self._open.discard(connection)
        self.strangers.pop(connection, None)
        self.waiting.pop(connection, None)

    async def watch(self) -> None:
        """Closes connections that have waited too long, until it is cancelled."""
        settings = self.settings
        pause = min(1.0, settings.header_seconds / 4, settings.idle_seconds / 4)
        while True:
            await asyncio.sleep(pause)
            now = asyncio.get_running_loop().time()
            for connection in [*self.strangers, *self.waiting]:
                connection.check_patience(now)

    def end(self) -> None:
        """Makes each answer the last one of its connection from now on."""
        self.ending = True
        for connection in self._open:
            connection.shutdown()
