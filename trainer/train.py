"""What TFX's Trainer calls."""

import contextlib
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from trainer.distributed_fit import distributed_fit
from trainer.export import export_model
from trainer.input import VALIDATION_BATCH_SIZE, SplitReader
from trainer.models import Autoencoder, build_model
from trainer.progress import TrainingProgress
from trainer.settings import TrainerSettings
from trainer.strategy import mirrored_strategy, require_an_example_each
from trainer.task import TrainingTask
from trainer.warm_start import start_from
from trainer.worker import lead

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

HISTORY_FILE = "history.json"
"""In the model run's folder: {"loss": [one value an epoch], "val_loss": [...]}."""


def run_fn(fn_args: "FnArgs") -> None:
    """Trains a model and writes the SavedModel that is evaluated and served.

    Args:
        fn_args: TFX's. Read are `custom_config` (`TrainerSettings.from_custom_config`),
            `transform_graph_path`, `train_files`, `eval_files` and `base_model` (a SavedModel to
            start from, or None). Written are `serving_model_dir` (the SavedModel) and
            `model_run_dir` (TensorBoard's logs and `history.json`).

    Raises:
        pipeline_config.UserInputError: No such model, or it does not take data of that shape; or
            a distributed training that cannot be, or that lost a worker.
        ValueError: A split has no example to read.
    """
    task = TrainingTask.from_fn_args(fn_args)
    settings = task.settings
    if settings.trainer.distribution == "multi_worker":
        model = _undistributed(settings, lead(task, os.environ))
    elif settings.trainer.distribution == "mirrored":
        model = _undistributed(settings, train(task, mirrored_strategy()).get_weights())
    else:
        model = train(task)
    tft_output = tft.TFTransformOutput(task.transform_graph_path)
    export_model(model, tft_output, settings, task.serving_model_dir)


def train(
    task: TrainingTask, strategy: tf.distribute.Strategy | None = None, *, writes: bool = True
) -> Autoencoder:
    """Trains, and writes the history and logs.

    Args:
        task: What, on what, and where to.
        strategy: Trains on all its replicas; all its processes must call this.
        writes: Whether this process writes. The others leave nothing, not even for a while.

    Returns:
        The trained model, in the scope of `strategy`.

    Raises:
        As `run_fn`.
    """
    settings = task.settings
    tft_output = tft.TFTransformOutput(task.transform_graph_path)
    keras.utils.set_random_seed(settings.trainer.seed)
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = build_model(settings.model, settings.shape)
    if task.base_model:
        start_from(model, task.base_model)
    train_split = SplitReader(task.train_files, tft_output, settings.trainer.normal_only)
    history = fit(
        model,
        train_split.batches(settings.trainer.batch_size, settings.trainer.seed),
        SplitReader(task.eval_files, tft_output).batches(VALIDATION_BATCH_SIZE),
        settings,
        task.model_run_dir if writes else None,
        strategy,
    )
    if writes:
        with tf.io.gfile.GFile(f"{task.model_run_dir}/{HISTORY_FILE}", "w") as file:
            json.dump(history, file)
    return model


def fit(
    model: Autoencoder,
    train: tf.data.Dataset,
    validation: tf.data.Dataset,
    settings: TrainerSettings,
    log_dir: str | None,
    strategy: tf.distribute.Strategy | None = None,
) -> dict[str, list[float]]:
    """Compiles and trains.

    Args:
        model: Is trained in place; with early stopping it ends with its best epoch's weights.
        train: Pairs of (given, target), once an epoch.
        validation: The same, of the eval split.
        settings: How.
        log_dir: TensorBoard's logs go there; None shows and writes nothing.
        strategy: In whose scope the model was made; `batch_size` is then that of all replicas.

    Returns:
        `loss` and `val_loss`, one value for each epoch that was run.

    Raises:
        pipeline_config.UserInputError: A batch is too small to go round.
    """
    trainer = settings.trainer
    callbacks = _callbacks(settings, log_dir)
    with strategy.scope() if strategy else contextlib.nullcontext():
        model.compile(
            optimizer=keras.optimizers.Adam(trainer.learning_rate),
            loss=settings.loss,
            steps_per_execution=trainer.steps_per_execution,
            # On a CPU, XLA is slower than TensorFlow's own kernels for models this small.
            jit_compile=False,
        )
    if strategy:
        require_an_example_each(strategy, settings)
        return distributed_fit(strategy, model, train, validation, trainer.epochs, callbacks)
    history = model.fit(
        train,
        validation_data=validation,
        epochs=trainer.epochs,
        callbacks=callbacks,
        # The datasets shuffle themselves, with the seed.
        shuffle=False,
        verbose=0,
    )
    return {name: [float(value) for value in values] for name, values in history.history.items()}


def _callbacks(settings: TrainerSettings, log_dir: str | None) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = []
    if log_dir:
        callbacks += [
            keras.callbacks.TensorBoard(log_dir, write_graph=False),
            TrainingProgress(f"{settings.name}: training", settings.trainer.epochs),
        ]
    if settings.trainer.early_stopping_patience:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                monitor="val_loss",
                patience=settings.trainer.early_stopping_patience,
                restore_best_weights=True,
            )
        )
    return callbacks


def _undistributed(settings: TrainerSettings, weights: Sequence[np.ndarray]) -> Autoencoder:
    """A model of plain variables: what is exported holds nothing of devices and workers."""
    model = build_model(settings.model, settings.shape)
    model.set_weights(weights)
    return model
