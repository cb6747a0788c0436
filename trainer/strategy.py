"""The `tf.distribute` strategy of a training."""

import functools
import signal

import tensorflow as tf
from absl import logging

from pipeline_config import UserInputError
from trainer.settings import TrainerSettings


@functools.cache
def mirrored_strategy() -> tf.distribute.Strategy:
    """Returns a strategy over this machine's GPUs; its CPU devices if there is none.

    One a process: a second one would number its exchanges of gradients from the start again, and
    TensorFlow takes them for those of the first.
    """
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    logging.info("mirrored training on %d device(s)", len(devices))
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def multi_worker_strategy(wait: int) -> tf.distribute.Strategy:
    """Joins the cluster of `TF_CONFIG`, and returns when all its processes have.

    TensorFlow waits for the others for an hour, inside one call that nothing in this process can
    end; so an alarm ends the process.

    Args:
        wait: Seconds before `SIGALRM` ends this process because the others have not come, and
            before a later exchange of gradients fails.

    Raises:
        pipeline_config.UserInputError: The process's own port is taken.
        RuntimeError: TensorFlow was used before in this process.
    """
    options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=wait)
    signal.alarm(wait)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    except tf.errors.UnknownError as error:
        if "gRPC server" not in error.message:
            raise
        raise UserInputError(
            "TF_CONFIG: this process's own port is taken; name a free one, on all machines"
        ) from error
    finally:
        signal.alarm(0)


def require_agreement(strategy: tf.distribute.Strategy, digest: int) -> None:
    """Checks that all processes are about to train the same, before any of them does.

    Args:
        strategy: With one or more devices in each process.
        digest: Of what is trained, an int64.

    Raises:
        pipeline_config.UserInputError: Others train something else; raised in all of them.
    """
    mine = strategy.experimental_distribute_values_from_function(
        lambda _: tf.constant([digest], tf.int64)
    )
    if len(set(strategy.gather(mine, axis=0).numpy().tolist())) > 1:
        raise UserInputError(
            "the workers were given different trainings: start all of them anew with the file "
            "that the chief writes now"
        )


def require_an_example_each(strategy: tf.distribute.Strategy, settings: TrainerSettings) -> None:
    """Checks that a full batch has an example for each replica.

    Raises:
        pipeline_config.UserInputError: It has not.
    """
    replicas = strategy.num_replicas_in_sync
    if settings.trainer.batch_size < replicas:
        raise UserInputError(
            f"trainer.batch_size={settings.trainer.batch_size}: expected {replicas} or more, "
            "an example for each device"
        )
