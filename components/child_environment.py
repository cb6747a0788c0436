"""The environment of a process that a component starts to run a model."""

import os


def model_environment(**variables: str) -> dict[str, str]:
    """Returns this process's environment without its GPUs.

    TensorFlow takes all memory of a GPU that it sees. If the training in this process holds it, a
    second process fails for want of memory, whatever its model is worth.

    Args:
        variables: Further variables of the process.
    """
    return {**os.environ, **variables, "CUDA_VISIBLE_DEVICES": "-1"}
