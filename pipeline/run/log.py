"""Keeps TFX's, Beam's and TensorFlow's log flood out of the terminal, in a file of the run."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import absl.logging

_FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"


@contextlib.contextmanager
def logs_to_file(path: Path, *, verbose: bool, shown: TextIO | None = None) -> Iterator[TextIO]:
    """Sends Python logging, and what libraries print, to `path`.

    File descriptors 1 and 2 point to the file meanwhile, as TensorFlow's C++ parts and child
    processes write to them directly. `sys.stderr` keeps writing to the terminal, so that a
    progress bar is seen. With `verbose` nothing is redirected and the log also goes to standard
    error.

    Args:
        path: The log file; made if it does not exist, else added to.
        verbose: Show the log on standard error as well.
        shown: `sys.stdout` or `sys.stderr`, by default the latter.

    Yields:
        A stream to where `shown` went before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        log = path.open("a", buffering=1, encoding="utf-8")
        stack.callback(_close, log)
        handlers: list[logging.Handler] = [_LogFileHandler(log)]
        output, error = sys.stdout, sys.stderr
        is_output = shown is output
        if verbose:
            handlers.append(logging.StreamHandler(sys.stderr))
        else:
            output = stack.enter_context(_descriptor_into(log, sys.stdout, 1))
            error = stack.enter_context(_descriptor_into(log, sys.stderr, 2))
            stack.enter_context(contextlib.redirect_stderr(error))
            stack.enter_context(contextlib.redirect_stdout(log))
        stack.enter_context(_root_handlers(handlers))
        stack.enter_context(_thread_failures_logged())
        yield output if is_output else error


class _LogFileHandler(logging.StreamHandler[TextIO]):
    """Drops what cannot be written: a full disk must not bury the run's own error."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name.
        """Does nothing."""


def _close(log: TextIO) -> None:
    with contextlib.suppress(OSError):
        log.close()


@contextlib.contextmanager
def _descriptor_into(log: TextIO, stream: TextIO, descriptor: int) -> Iterator[TextIO]:
    """Points `descriptor` to the log and yields a stream to where it pointed before."""
    stream.flush()
    original = os.dup(descriptor)
    os.dup2(log.fileno(), descriptor)
    terminal = os.fdopen(original, "w", buffering=1, encoding="utf-8", errors="replace")
    try:
        yield terminal
    finally:
        terminal.flush()
        os.dup2(terminal.fileno(), descriptor)
        terminal.close()


@contextlib.contextmanager
def _root_handlers(handlers: list[logging.Handler]) -> Iterator[None]:
    for handler in handlers:
        handler.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger()
    saved, saved_level = root.handlers[:], root.level
    saved_verbosity = absl.logging.get_verbosity()
    root.handlers[:] = handlers
    root.setLevel(logging.INFO)
    # TFX logs through absl, whose level is its own and is whatever the last import has set.
    absl.logging.set_verbosity(absl.logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        absl.logging.set_verbosity(saved_verbosity)
        logging.captureWarnings(False)
        root.handlers[:] = saved
        root.setLevel(saved_level)


@contextlib.contextmanager
def _thread_failures_logged() -> Iterator[None]:
    """Logs what ends a thread: Beam's workers on Flink hang up with an exception after each job.

    What a job itself fails of, its runner raises.
    """

    def log(ended: threading.ExceptHookArgs) -> None:
        name = ended.thread.name if ended.thread else "a thread"
        logging.warning("%s ended with %s: %s", name, ended.exc_type.__name__, ended.exc_value)

    saved = threading.excepthook
    threading.excepthook = log
    try:
        yield
    finally:
        threading.excepthook = saved
