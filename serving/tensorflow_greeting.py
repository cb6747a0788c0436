"""Imports TensorFlow without the messages about CPU and GPU that it prints then."""

import importlib
import os
import sys


def import_tensorflow() -> None:
    """Imports TensorFlow without its messages on standard error, and sets its log to errors.

    Its C++ code writes to file descriptor 2 before it reads `TF_CPP_MIN_LOG_LEVEL`, so that
    descriptor is redirected meanwhile.

    Raises:
        ImportError: TensorFlow cannot be imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    terminal = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        importlib.import_module("tensorflow")
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
