"""`python -m trainer.worker --args FILE`: a further worker of a multi-worker training.

The chief is the Trainer stage of a run. It writes what it is about to train to the file named by
`AEPIPE_WORKER_ARGS`, on a disk that all machines share; each further worker waits for this file,
trains with the chief, and ends. It writes nothing.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline_config import UserInputError
from trainer.cluster import ClusterTask, wait_seconds
from trainer.own_process import train_in_own_process
from trainer.task import TrainingTask

WORKER_ARGS = "AEPIPE_WORKER_ARGS"


def lead(task: TrainingTask, environ: Mapping[str, str]) -> list[np.ndarray]:
    """Trains as the chief, together with the workers that `TF_CONFIG` names.

    Args:
        task: What to train; its file is removed at the end, so that no worker joins too late.
        environ: `TF_CONFIG`, `AEPIPE_WORKER_ARGS` and `AEPIPE_WORKER_WAIT`.

    Returns:
        The trained weights in the order of Keras' `model.weights`. A model saved in the process
        that trained would name the cluster's machines in its graph.

    Raises:
        pipeline_config.UserInputError: One of them is wrong, a worker did not come or was lost.
    """
    who = ClusterTask.from_environment(environ)
    wait = wait_seconds(environ)
    if not who.is_chief:
        raise UserInputError(
            f"TF_CONFIG: this is {who}, and a run is the chief's; here start python -m "
            "trainer.worker --args FILE"
        )
    if not environ.get(WORKER_ARGS):
        raise UserInputError(
            f"{WORKER_ARGS} is not set: expected a file to be written on a disk that all workers "
            "share"
        )
    file = Path(environ[WORKER_ARGS]).absolute()
    task.write(file)
    try:
        with tempfile.TemporaryDirectory() as folder:
            weights_file = Path(folder) / "weights.npz"
            train_in_own_process(file, wait, weights_file)
            with np.load(weights_file) as weights:
                return [weights[name] for name in weights.files]
    finally:
        file.unlink(missing_ok=True)


def follow(file: Path, environ: Mapping[str, str]) -> None:
    """Trains as a further worker.

    Args:
        file: The chief's; waited for.
        environ: `TF_CONFIG` and `AEPIPE_WORKER_WAIT`.

    Raises:
        pipeline_config.UserInputError: One of them is wrong, the file or another worker did not
            come, or one was lost.
    """
    who = ClusterTask.from_environment(environ)
    wait = wait_seconds(environ)
    if who.is_chief:
        raise UserInputError(
            f"TF_CONFIG: this is {who}, the chief: its training is the Trainer stage of a run with "
            "trainer.distribution=multi_worker"
        )
    deadline = time.monotonic() + wait
    while not file.exists():
        if time.monotonic() > deadline:
            raise UserInputError(
                f"{file}: not there after {wait} s; the chief writes it when its Trainer stage "
                "starts, and a cached stage does not"
            )
        time.sleep(0.2)
    train_in_own_process(file.absolute(), wait)


def main() -> None:
    """Runs the command line: exit code 2 and one line on stderr for a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="python -m trainer.worker",
        description="Trains with the chief of TF_CONFIG's cluster, then ends.",
    )
    parser.add_argument(
        "--args", type=Path, required=True, help=f"the file that the chief's {WORKER_ARGS} names"
    )
    try:
        follow(parser.parse_args().args, os.environ)
    except UserInputError as error:
        sys.exit(_told(error))


def _told(error: UserInputError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
