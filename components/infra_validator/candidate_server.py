"""A model server with one candidate, in a process of its own that ends with this one.

`python -m components.infra_validator.candidate_server MODELS_DIR` is that process: the project's
own server, `python -m serving`, on free ports of this machine.
"""

import contextlib
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PAUSE_SECONDS = 0.1

_ADDRESS = re.compile(r"REST http://\S+, gRPC (?P<address>\S+:\d+)\n")
_SECONDS_TO_DIE = 5.0


class CandidateFault(Exception):  # noqa: N818 - it is a finding, and refuses a push.
    """The candidate cannot be served; the message is one line that says what went wrong."""


def one_line(text: str, most: int = 400) -> str:
    """Returns text of many lines, such as TensorFlow's errors, as one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]} ..."


class TimeLimit:
    """A limit that starts to run at once.

    Args:
        seconds: How long.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self, missed: str) -> float:
        """Returns the seconds that are left, above 0.

        Args:
            missed: What did not happen if none are, such as "the candidate did not answer".

        Raises:
            CandidateFault: The limit is over.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.exceeded(missed)
        return left

    def exceeded(self, missed: str) -> CandidateFault:
        """Returns what to raise if something else noticed that the limit is over."""
        return CandidateFault(
            f"{missed} within {self._seconds:g} s (infra_validator.timeout_seconds)"
        )


@contextlib.contextmanager
def candidate_server(models_dir: Path, log: Path) -> Iterator["CandidateServer"]:
    """Starts the server and ends it, however the block ends.

    Args:
        models_dir: Its push directory; removed by the server if this process is killed.
        log: File for the output of the server.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(models_dir)],
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            # A folder `serving` in the user's own working directory must not be taken for ours.
            cwd=ROOT,
            # TensorFlow takes all memory of a GPU that it sees. If the training in this process
            # holds it, a second process fails for want of memory, whatever its model is worth.
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            start_new_session=True,
        )
    with process:
        try:
            yield CandidateServer(process, log)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class CandidateServer:
    """A server that was started.

    Args:
        process: Its process.
        log: File that it writes to.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """The process, also the group of all that it starts."""
        return self._process.pid

    def wait_for_address(self, limit: TimeLimit) -> str:
        """Returns HOST:PORT of gRPC, as soon as the server prints it.

        Raises:
            CandidateFault: The process ended, or the limit is over.
        """
        while not (printed := _ADDRESS.search(self._log.read_text(errors="replace"))):
            self.pause(limit, "the server did not start")
        return printed["address"]

    def pause(self, limit: TimeLimit, missed: str) -> None:
        """Waits for a moment.

        Args:
            limit: Of the whole check.
            missed: What did not happen if the limit is over.

        Raises:
            CandidateFault: The process ended, or the limit is over.
        """
        limit.left(missed)
        self.require_running()
        time.sleep(PAUSE_SECONDS)

    def require_running(self, *, dying: bool = False) -> None:
        """Passes if the process runs.

        Args:
            dying: Whether its connections broke, so that its end may be a moment away.

        Raises:
            CandidateFault: It ended; the message holds its last line of output.
        """
        if dying:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_SECONDS_TO_DIE)
        code = self._process.poll()
        if code is not None:
            lines = self._log.read_text(errors="replace").split("\n")
            said = [line for line in lines if line.strip()]
            raise CandidateFault(
                f"the server's process {_ended(code)}"
                + (f"; it said last: {one_line(said[-1])}" if said else "")
            )


def _ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _serve_until_parent_ends(models_dir: str) -> None:
    threading.Thread(target=_end_with_parent, args=(models_dir,), daemon=True).start()
    sys.argv[1:] = [f"--models-dir={models_dir}", "--host=127.0.0.1", "--port=0", "--grpc-port=0"]
    runpy.run_module("serving", run_name="__main__", alter_sys=True)


def _end_with_parent(models_dir: str) -> None:
    """Waits for the end of stdin, which the kernel closes whatever the parent died of."""
    while os.read(0, 4096):
        continue
    shutil.rmtree(models_dir, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    _serve_until_parent_ends(sys.argv[1])
