"""A training in a process of its own.

TensorFlow joins a cluster only as the first thing in a process, and the Trainer stage is not: the
stages before it have used TensorFlow. The parent also turns each way in which a process may end
into a sentence.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from pipeline_config import UserInputError

MISTAKE = 2
"""Exit code of a process that printed the one line of a user's mistake, its last on stdout."""


def train_in_own_process(task_file: Path, wait: int, weights_file: Path | None = None) -> None:
    """Takes part in a multi-worker training and returns at its end.

    Args:
        task_file: As `TrainingTask.write` leaves it.
        wait: Seconds to wait for the other processes.
        weights_file: Where the trained weights go, as NumPy's `savez` writes them in the order of
            `model.weights`; None for all but the chief, who write nothing at all.

    Raises:
        pipeline_config.UserInputError: A setting is wrong, others did not come, or one was lost.
        RuntimeError: A bug; its traceback is on stderr.
    """
    command = [sys.executable, "-m", "trainer.worker_process", str(task_file), f"--wait={wait}"]
    if weights_file:
        command.append(f"--weights={weights_file}")
    passed: tuple[int, ...] = ()
    if sys.stderr.isatty():
        # A runner may keep descriptor 2 for its log file and the terminal for the progress bar.
        passed = (sys.stderr.fileno(),)
        command.append(f"--terminal={sys.stderr.fileno()}")
    # The pipe to stdin closes when this process ends, however it ends, and so ends the child.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=passed
    )
    with process:
        try:
            printed = process.stdout.read() if process.stdout else ""
        except BaseException:
            process.kill()
            raise
    if process.returncode == MISTAKE and printed.strip():
        raise UserInputError(printed.strip().splitlines()[-1])
    if process.returncode == -signal.SIGALRM:
        raise UserInputError(
            f"not all of TF_CONFIG's cluster came within {wait} s: see whether each is started and "
            "reachable, or set AEPIPE_WORKER_WAIT"
        )
    if process.returncode:
        raise RuntimeError(f"the training's process ended with {process.returncode}; see its log")


def end_with_parent() -> None:
    """Ends this process when the one that started it is gone."""

    def wait_for_the_end() -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdin.read()
        os._exit(1)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
