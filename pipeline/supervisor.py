"""Ends a command within seconds of a signal, whatever its libraries do with the signal.

Beam and TFX catch a `KeyboardInterrupt` and go on, and a C++ function that holds the interpreter
delays every signal handler of Python. So the command's work is done by a forked process, and the
first process only waits: for the end of the work, or for a signal, upon which it ends the work and
all that the work has started. What is written by a rename is there whole or not at all, as after
any kill.
"""

import contextlib
import ctypes
import dataclasses
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from pipeline.scratch import make_scratch_folder, start_cleanup_process

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SECONDS_TO_DIE = 2.0
"""How long to wait for killed processes; one inside a system call may take longer."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_POLL_SECONDS = 0.02

_to_supervisor: int | None = None
"""Pipe to the supervisor; None in a process that has none."""


@dataclasses.dataclass(frozen=True)
class Interruption:
    """What ended the work before its time.

    Attributes:
        signal: What the supervisor got, or what ended the work's process.
        messages: What the work sent with `tell_supervisor`, in order.
    """

    signal: signal.Signals
    messages: list[dict[str, Any]]

    @property
    def asked_for(self) -> bool:
        """Whether the end was requested; otherwise the work's process was killed or crashed."""
        return self.signal in END_SIGNALS

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as a shell gives it; 1 for a crash, which is a bug."""
        return 128 + self.signal if self.asked_for or self._killed else 1

    @property
    def reason(self) -> str:
        """What happened, in a few words."""
        if self.asked_for:
            return f"interrupted by {self.signal.name}"
        if self._killed:
            return "killed by SIGKILL, which the system sends when memory runs out"
        return f"crashed with {self.signal.name}"

    @property
    def _killed(self) -> bool:
        return self.signal == signal.SIGKILL


def supervise(on_interruption: Callable[[Interruption], None], grace_seconds: float) -> None:
    """Forks, and returns in the new process alone, which then does the work.

    The first process ends with the work's exit code and removes the work's temporary files. Call
    this before anything has started a thread.

    Args:
        on_interruption: Called in the first process once the work's processes are gone.
        grace_seconds: How long the work may clean up after a signal, which it gets as
            `SystemExit`; with 0 it is ended at once.

    Raises:
        UserInputError: The folder for temporary files cannot be written to.
    """
    scratch = make_scratch_folder()
    ending = [number for number in END_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    signal.pthread_sigmask(signal.SIG_BLOCK, [*ending, signal.SIGCHLD])
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    sys.stdout.flush()
    sys.stderr.flush()
    alive = start_cleanup_process(scratch)
    receiving, sending = os.pipe()
    supervisor = os.getpid()
    work = os.fork()
    if not work:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(1)
        os.close(receiving)
        os.close(alive)
        _begin_work(sending, ending, grace_seconds)
        return
    os.close(sending)
    try:
        code = _wait(work, receiving, ending, on_interruption, grace_seconds)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.exit(code)


def tell_supervisor(**message: Any) -> None:
    """Leaves JSON values for an `Interruption`; does nothing in a process without supervisor."""
    if _to_supervisor is not None:
        with contextlib.suppress(OSError):
            os.write(_to_supervisor, json.dumps(message).encode() + b"\n")


def _begin_work(sending: int, ending: Sequence[signal.Signals], grace_seconds: float) -> None:
    global _to_supervisor
    _to_supervisor = sending
    os.set_blocking(sending, False)

    def leave(number: int, _: FrameType | None) -> None:
        for other in ending:
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in ending:
        # A terminal's Ctrl-C comes to both processes. The default action needs no interpreter.
        signal.signal(number, leave if grace_seconds else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [*ending, signal.SIGCHLD])


def _wait(
    work: int,
    receiving: int,
    ending: Sequence[signal.Signals],
    on_interruption: Callable[[Interruption], None],
    grace_seconds: float,
) -> int:
    """Returns the exit code for the command."""
    status: int | None = None
    ended_by: signal.Signals | None = None
    while status is None and ended_by is None:
        got = signal.sigwait([*ending, signal.SIGCHLD])
        if got == signal.SIGCHLD:
            status = _reaped(work)
        else:
            ended_by = signal.Signals(got)
    if ended_by and grace_seconds:
        os.kill(work, ended_by)
        _wait_for(work, grace_seconds)
    _end_descendants()
    if status is not None:
        code = os.waitstatus_to_exitcode(status)
        if code >= 0 and code - 128 not in ending:
            return code
        ended_by = signal.Signals(-code if code < 0 else code - 128)
    assert ended_by is not None
    interruption = Interruption(ended_by, _received(receiving))
    on_interruption(interruption)
    return interruption.exit_code


def _wait_for(work: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while _reaped(work) is None and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)


def _reaped(work: int) -> int | None:
    """Takes the status of all children that have ended; returns the work's, if it has."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, ended = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            if pid == work:
                status = ended
    return status


def _end_descendants() -> None:
    """Kills what the work has started, and what that has started.

    A process whose parent ends becomes this one's child, so none gets away.
    """
    end = time.monotonic() + SECONDS_TO_DIE
    while time.monotonic() < end:
        for pid in _descendants():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        time.sleep(_POLL_SECONDS)


def _descendants() -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                # "pid (name) state ppid …"; a name may hold blanks and brackets.
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                children.setdefault(int(parent), []).append(int(entry.name))
    found = [os.getpid()]
    while found:
        of_one = children.get(found.pop(), [])
        yield from of_one
        found += of_one


def _received(receiving: int) -> list[dict[str, Any]]:
    os.set_blocking(receiving, False)
    content = b""
    with contextlib.suppress(BlockingIOError):
        while part := os.read(receiving, 65536):
            content += part
    # The last line may be cut.
    return [json.loads(line) for line in content.split(b"\n")[:-1]]
