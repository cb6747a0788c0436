"""TensorFlow says which of the machine's parts it uses, and that there is no GPU, when imported."""

import importlib
import os
import sys


def import_tensorflow() -> None:
    """Imports TensorFlow without its greeting on standard error, and keeps its log to errors.

    Its C++ parts greet before they read `TF_CPP_MIN_LOG_LEVEL`, straight into file descriptor 2, so
    that goes nowhere meanwhile. An import that fails raises, as any.
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
