"""A process that cleans up after a supervisor that was killed, which cannot do so itself."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

_SECONDS = 3.0


def start_janitor(scratch: Path) -> int:
    """Forks a process that waits for the end of this one.

    Then it ends what was started with `TMPDIR` set to the scratch folder, and removes that. Beam's
    workers would else go on: their parent's end is nothing to them.

    Returns:
        The end of a pipe for this process to keep open, and for its other children to close.
    """
    waiting, alive = os.pipe()
    if os.fork():
        os.close(waiting)
        return alive
    try:
        os.setsid()
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nothing, standard)
        os.dup2(waiting, 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        os.read(3, 1)
        end = time.monotonic() + _SECONDS
        while (left := list(_started_with(scratch))) and time.monotonic() < end:
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        shutil.rmtree(scratch, ignore_errors=True)
    finally:
        os._exit(0)


def _started_with(scratch: Path) -> Iterator[int]:
    """Yields the processes that have the scratch folder in their first environment."""
    marked = b"TMPDIR=" + os.fsencode(scratch)
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if marked in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)
