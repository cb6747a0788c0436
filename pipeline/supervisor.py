"""Ends a command within seconds of a signal, whatever its libraries do with the signal.

Beam and TFX catch a `KeyboardInterrupt` and go on, and a C++ function that holds the interpreter
delays every signal handler of Python. So a command is three processes, each the next one's parent:

- the first passes signals on, and ends with the exit code of
- the guard, which ends the work and all that the work has started: when it gets a signal, when the
  work ends, or when the first process is killed; it then removes the temporary files;
- the work.

What is written by a rename is there whole or not at all, as after any kill.
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
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from pipeline.scratch import make_scratch_folder

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SECONDS_TO_DIE = 2.0
"""How long to wait for killed processes; one inside a system call may take longer."""

_PARENT_ENDED = signal.SIGUSR1
"""What the guard gets when the first process ends before it."""

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
        messages: What the work sent with `notify_supervisor`, in order.
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
    """Forks, and returns in the work's process alone.

    Call this before anything has started a thread.

    Args:
        on_interruption: Called in the guard once the work's processes are gone.
        grace_seconds: How long the work may clean up after a signal, which it gets as
            `SystemExit`; with 0 it is ended at once.

    Raises:
        UserInputError: The folder for temporary files cannot be written to.
    """
    scratch = make_scratch_folder()
    ending = [number for number in END_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    signal.pthread_sigmask(signal.SIG_BLOCK, [*ending, signal.SIGCHLD, _PARENT_ENDED])
    sys.stdout.flush()
    sys.stderr.flush()
    group = os.getpgrp()
    if guard := _fork_guarded(_PARENT_ENDED):
        sys.exit(_pass_signals_on(guard, ending))
    # A kill of the first process's group leaves the guard to clean up.
    os.setpgid(0, 0)
    _libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    receiving, sending = os.pipe()
    if work := _fork_guarded(signal.SIGKILL):
        os.close(sending)
        try:
            code = _guard(work, receiving, ending, on_interruption, grace_seconds)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        sys.exit(code)
    os.setpgid(0, group)
    os.close(receiving)
    _begin_work(sending, ending, grace_seconds)


def notify_supervisor(**message: Any) -> None:
    """Leaves JSON values for an `Interruption`; does nothing in a process without supervisor."""
    if _to_supervisor is not None:
        with contextlib.suppress(OSError):
            os.write(_to_supervisor, json.dumps(message).encode() + b"\n")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _fork_guarded(at_parents_end: signal.Signals) -> int:
    """Forks a process that gets a signal when this one ends, whatever ends it."""
    parent = os.getpid()
    child = os.fork()
    if not child:
        _libc().prctl(_PR_SET_PDEATHSIG, at_parents_end, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), at_parents_end)
    return child


def _pass_signals_on(guard: int, ending: Sequence[signal.Signals]) -> int:
    """Returns the guard's exit code."""
    while True:
        got = signal.sigwait([*ending, signal.SIGCHLD])
        if got != signal.SIGCHLD:
            os.kill(guard, got)
        elif (status := _reaped(guard)) is not None:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _begin_work(sending: int, ending: Sequence[signal.Signals], grace_seconds: float) -> None:
    global _to_supervisor
    _to_supervisor = sending
    os.set_blocking(sending, False)

    def leave(number: int, _: FrameType | None) -> None:
        for other in ending:
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in ending:
        # A terminal's Ctrl-C comes to this process too. The default action needs no interpreter.
        signal.signal(number, leave if grace_seconds else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [*ending, signal.SIGCHLD, _PARENT_ENDED])


def _guard(
    work: int,
    receiving: int,
    ending: Sequence[signal.Signals],
    on_interruption: Callable[[Interruption], None],
    grace_seconds: float,
) -> int:
    """Returns the exit code for the command, once all processes of the work are gone."""
    status = None
    got = signal.SIGCHLD
    while status is None and got == signal.SIGCHLD:
        got = signal.Signals(signal.sigwait([*ending, signal.SIGCHLD, _PARENT_ENDED]))
        status = _reaped(work)
    if got in ending and grace_seconds:
        os.kill(work, got)
        end = time.monotonic() + grace_seconds
        while _reaped(work) is None and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
    elif status is None:
        # At once: the imports below take longer than the work may need to replace an output.
        os.kill(work, signal.SIGKILL)
    _end_descendants()
    if got == _PARENT_ENDED:
        return 1
    if got == signal.SIGCHLD:
        assert status is not None
        code = os.waitstatus_to_exitcode(status)
        if code >= 0 and code - 128 not in ending:
            return code
        got = signal.Signals(-code if code < 0 else code - 128)
    interruption = Interruption(got, _received(receiving))
    on_interruption(interruption)
    return interruption.exit_code


def _reaped(child: int) -> int | None:
    """Takes the status of all children that have ended; returns that of `child`, if it has."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                status = ended[1]
    return status


def _end_descendants() -> None:
    """Kills what the work has started, and what that has started.

    A process whose parent ends becomes this one's child, so none gets away.
    """
    import psutil

    this, end = psutil.Process(), time.monotonic() + SECONDS_TO_DIE
    while (left := this.children(recursive=True)) and time.monotonic() < end:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=_POLL_SECONDS)


def _received(receiving: int) -> list[dict[str, Any]]:
    os.set_blocking(receiving, False)
    content = b""
    with contextlib.suppress(BlockingIOError):
        while part := os.read(receiving, 65536):
            content += part
    # The last line may be cut.
    return [json.loads(line) for line in content.split(b"\n")[:-1]]
