"""Loads a SavedModel in a process of its own and runs one prediction.

Run as `python -I probe.py MODEL INPUTS.npz OUTPUTS.npz`: isolated, so neither aepipe's packages
nor the user's environment are there to help, just as in a model server.
"""

import sys

import numpy as np
import tensorflow as tf


def main(model_directory: str, inputs_path: str, outputs_path: str) -> None:
    """Writes the outputs of `serving_default` for the given inputs."""
    model = tf.saved_model.load(model_directory)
    with np.load(inputs_path) as inputs:
        outputs = model.signatures["serving_default"](
            **{name: tf.constant(inputs[name]) for name in inputs.files}
        )
    np.savez(outputs_path, **{name: value.numpy() for name, value in outputs.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
