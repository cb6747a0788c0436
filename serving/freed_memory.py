"""Memory that is free in the process goes back to the system."""

import contextlib
import ctypes


def return_freed_memory() -> None:
    """Gives back what the C library keeps for later, if it is glibc.

    What large requests filled would else stay with the process for good. Takes some milliseconds,
    in which other threads run on.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
