"""Checks a copied SavedModel against its original, from a clean process."""

import contextlib
import errno
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from components.child_environment import model_environment
from components.versioned_pusher.serving_inputs import SERVING_SIGNATURE
from pipeline_config import UserInputError

PROBE = Path(__file__).with_name("probe.py")

ORIGINAL_DEVICE = "/CPU:0"
"""Where the original is loaded and run: the copy's process sees no GPU, whose sums differ."""

_TIMEOUT_SECONDS = 300

_RELATIVE_TOLERANCE = 1e-4
_ABSOLUTE_TOLERANCE = 1e-6
"""The same kernels on the same machine: room for another order of threads' sums only."""


class BrokenCopyError(RuntimeError):
    """The copy does not load, or does not predict what the original predicts."""


def check_copy(copy: Path, original: Any, inputs: dict[str, np.ndarray]) -> None:
    """Compares one prediction of a copy with the original's.

    Args:
        copy: Directory of the copied SavedModel.
        original: The original, loaded on `ORIGINAL_DEVICE`.
        inputs: Inputs of `serving_default`, by name.

    Raises:
        BrokenCopyError: They differ; the message names the output and the largest difference, or
            holds the last line of what the clean process said.
    """
    signature = original.signatures[SERVING_SIGNATURE]
    with tf.device(ORIGINAL_DEVICE):
        expected = signature(**{name: tf.constant(value) for name, value in inputs.items()})
    outputs = _predict_in_clean_process(copy, inputs)
    if set(outputs) != set(expected):
        raise BrokenCopyError(f"{copy}: outputs {sorted(outputs)}, not {sorted(expected)}")
    for name, tensor in expected.items():
        value, copied = tensor.numpy(), outputs[name]
        if value.shape != copied.shape or not np.allclose(
            value, copied, _RELATIVE_TOLERANCE, _ABSOLUTE_TOLERANCE, equal_nan=True
        ):
            raise BrokenCopyError(
                f"{copy}: the copied model's '{name}' differs from the original's: "
                f"{_sample(copied)} instead of {_sample(value)}"
            )


def _predict_in_clean_process(copy: Path, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    with _temporary_directory() as directory:
        inputs_path, outputs_path = Path(directory, "inputs.npz"), Path(directory, "outputs.npz")
        arrays: dict[str, Any] = dict(inputs)
        np.savez(inputs_path, **arrays)
        finished = subprocess.run(
            [sys.executable, "-I", str(PROBE), str(copy), str(inputs_path), str(outputs_path)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
            env=model_environment(TF_CPP_MIN_LOG_LEVEL="2"),
            cwd=directory,
        )
        if finished.returncode != 0:
            said = finished.stderr.strip().splitlines() or [f"exit code {finished.returncode}"]
            raise BrokenCopyError(f"{copy}: the copied model does not load: {said[-1]}")
        with np.load(outputs_path) as outputs:
            return {name: outputs[name] for name in outputs.files}


@contextlib.contextmanager
def _temporary_directory() -> Iterator[str]:
    """A folder for a moment; a fault of it is not one of the push directory."""
    try:
        with tempfile.TemporaryDirectory() as directory:
            yield directory
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        raise UserInputError(
            f"{tempfile.gettempdir()}: cannot be written to: {error.strerror}; "
            "make room there, or name another folder with TMPDIR"
        ) from error


def _sample(value: np.ndarray) -> str:
    return np.array2string(value.ravel()[:3], separator=", ", precision=6)
