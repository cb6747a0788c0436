"""What TFX's Trainer calls."""

import json
from typing import TYPE_CHECKING

import keras
import tensorflow as tf
import tensorflow_transform as tft

from trainer.export import export_model
from trainer.input import VALIDATION_BATCH_SIZE, SplitReader
from trainer.models import Autoencoder, build_model
from trainer.progress import TrainingProgress
from trainer.settings import TrainerSettings
from trainer.warm_start import start_from

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
        pipeline_config.UserInputError: No such model, or it does not take data of that shape.
        ValueError: A split has no example to read.
    """
    settings = TrainerSettings.from_custom_config(fn_args.custom_config)
    tft_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    keras.utils.set_random_seed(settings.trainer.seed)
    model = build_model(settings.model, settings.shape)
    if fn_args.base_model:
        start_from(model, fn_args.base_model)
    train = SplitReader(fn_args.train_files, tft_output, settings.trainer.normal_only)
    history = fit(
        model,
        train.batches(settings.trainer.batch_size, settings.trainer.seed),
        SplitReader(fn_args.eval_files, tft_output).batches(VALIDATION_BATCH_SIZE),
        settings,
        fn_args.model_run_dir,
    )
    with tf.io.gfile.GFile(f"{fn_args.model_run_dir}/{HISTORY_FILE}", "w") as file:
        json.dump(history, file)
    export_model(model, tft_output, settings, fn_args.serving_model_dir)


def fit(
    model: Autoencoder,
    train: tf.data.Dataset,
    validation: tf.data.Dataset,
    settings: TrainerSettings,
    log_dir: str,
) -> dict[str, list[float]]:
    """Compiles and trains.

    Args:
        model: Is trained in place; with early stopping it ends with its best epoch's weights.
        train: Pairs of (given, target), once an epoch.
        validation: The same, of the eval split.
        settings: How.
        log_dir: TensorBoard's logs go there.

    Returns:
        `loss` and `val_loss`, one value for each epoch that was run.
    """
    trainer = settings.trainer
    model.compile(
        optimizer=keras.optimizers.Adam(trainer.learning_rate),
        loss=settings.loss,
        steps_per_execution=trainer.steps_per_execution,
        # On a CPU, XLA is slower than TensorFlow's own kernels for models this small.
        jit_compile=False,
    )
    history = model.fit(
        train,
        validation_data=validation,
        epochs=trainer.epochs,
        callbacks=_callbacks(settings, log_dir),
        # The datasets shuffle themselves, with the seed.
        shuffle=False,
        verbose=0,
    )
    return {name: [float(value) for value in values] for name, values in history.history.items()}


def _callbacks(settings: TrainerSettings, log_dir: str) -> list[keras.callbacks.Callback]:
    callbacks = [
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
