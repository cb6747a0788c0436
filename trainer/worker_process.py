"""What `own_process` starts: joins the cluster and trains."""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from pipeline_config import UserInputError
from trainer.cluster import ClusterTask
from trainer.own_process import MISTAKE, end_with_parent
from trainer.task import TrainingTask


def main() -> None:
    """Runs the command line; a user's mistake is the last line on stdout."""
    parser = argparse.ArgumentParser(prog="python -m trainer.worker_process")
    parser.add_argument("task", type=Path)
    parser.add_argument("--wait", type=int, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--terminal", type=int, help="descriptor for the progress bar")
    given = parser.parse_args()
    if given.terminal is not None:
        sys.stderr = os.fdopen(given.terminal, "w", buffering=1)
    end_with_parent()
    try:
        _train(TrainingTask.from_file(given.task), given.wait, given.weights)
    except UserInputError as error:
        print(error, flush=True)
        sys.exit(MISTAKE)


def _train(task: TrainingTask, wait: int, weights_file: Path | None) -> None:
    import tensorflow as tf

    from trainer.strategy import multi_worker_strategy, require_agreement
    from trainer.train import train

    strategy = multi_worker_strategy(wait)
    try:
        require_agreement(strategy, task.digest)
        model = train(task, strategy, writes=weights_file is not None)
    except (tf.errors.UnavailableError, tf.errors.DeadlineExceededError) as error:
        who = ClusterTask.from_environment(os.environ)
        first = error.message.strip().splitlines()[0]
        raise UserInputError(
            f"{who}: lost another worker ({first}); see its log, then start all of them again"
        ) from error
    if weights_file:
        np.savez(weights_file, *model.get_weights())


if __name__ == "__main__":
    main()
