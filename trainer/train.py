"""What TFX's Trainer calls."""

import functools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import tensorflow as tf
import tensorflow_transform as tft
from absl import logging

from pipeline_config import TrainerConfig, UserInputError
from trainer.autoencoder import Autoencoder
from trainer.export import export_model
from trainer.input import VALIDATION_BATCH_SIZE, SplitReader
from trainer.length import TrainingLength
from trainer.models import build_model
from trainer.progress import TrainingProgress
from trainer.settings import TrainerSettings

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
        pipeline_config.UserInputError, ValueError: As in `fit`.
    """
    settings = TrainerSettings.from_custom_config(fn_args.custom_config)
    tft_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    train = SplitReader(fn_args.train_files, tft_output, settings.labels)
    validation = SplitReader(fn_args.eval_files, tft_output, settings.validation_labels)
    model, history = fit(
        settings,
        train,
        validation,
        [
            keras.callbacks.TensorBoard(fn_args.model_run_dir, write_graph=False),
            TrainingProgress(f"{settings.name}: training", settings.trainer.epochs),
        ],
        base_model=fn_args.base_model,
    )
    with tf.io.gfile.GFile(f"{fn_args.model_run_dir}/{HISTORY_FILE}", "w") as file:
        json.dump(history, file)
    export_model(model, tft_output, settings, fn_args.serving_model_dir)


def fit(
    settings: TrainerSettings,
    train: SplitReader,
    validation: SplitReader,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    *,
    base_model: str | None = None,
) -> tuple[Autoencoder, dict[str, list[float]]]:
    """Trains a model.

    Args:
        settings: What to train, and how.
        train: The examples to train on.
        validation: The examples of `val_loss`. If they are held out of the training split and the
            training stops early, a tenth of `train` takes their place and is not trained on.
        callbacks: Of Keras, beside those that the settings ask for.
        base_model: A SavedModel to start from.

    Returns:
        The model with plain variables, and its `loss` and `val_loss`, one value an epoch.

    Raises:
        pipeline_config.UserInputError: No such model, or it does not take data of that shape; or
            a batch cannot be split evenly over the devices; or the examples are too few for early
            stopping to have a tenth of them.
        ValueError: There is no example to read.
    """
    trainer = settings.trainer
    if settings.validates_on_held_out and trainer.early_stopping_patience:
        # A threshold counts on errors of examples that decide nothing about the model.
        train, validation = _parts(train, trainer)
    strategy = _strategy(trainer)
    replicas = strategy.num_replicas_in_sync
    keras.utils.set_random_seed(trainer.seed)
    batches = train.batches(trainer.batch_size, trainer.seed, replicas=replicas)
    length = TrainingLength.of(trainer, batches)
    with strategy.scope():
        model = build_model(settings.model, settings.shape)
        _compile(model, settings, length)
    if not (base_model and start_from(model, base_model)):
        model.adapt(batches)
    history = model.fit(
        # However few the examples are, each step sees as many.
        batches.repeat().rebatch(trainer.batch_size) if trainer.steps else batches,
        steps_per_epoch=length.steps_per_epoch if trainer.steps else None,
        validation_data=validation.batches(
            VALIDATION_BATCH_SIZE // replicas * replicas, replicas=replicas
        ),
        epochs=trainer.epochs,
        callbacks=[*callbacks, *_early_stopping(trainer)],
        # The datasets shuffle themselves, with the seed.
        shuffle=False,
        verbose=0,
    ).history
    if trainer.distribution == "mirrored":
        model = _undistributed(model, settings)
    return model, {name: [float(value) for value in history[name]] for name in history}


def start_from(model: Autoencoder, saved_model: str) -> bool:
    """Takes over the weights of an exported model, with what it adapted to its examples.

    A model of another kind or size leaves `model` as it is, with a line in the log: training then
    starts cold.

    Returns:
        Whether it took them over. Then `model.adapt` would spoil them: the learnt weights fit what
        the earlier model adapted to.
    """
    earlier = tf.saved_model.load(saved_model)
    values = [variable.numpy() for variable in getattr(earlier, "model_variables", [])]
    if [value.shape for value in values] != [tuple(weight.shape) for weight in model.weights]:
        logging.warning("%s: other weights than this model's; starting cold", saved_model)
        return False
    model.set_weights(values)
    logging.info("%s: starting from its weights", saved_model)
    return True


def _strategy(trainer: TrainerConfig) -> tf.distribute.Strategy:
    if trainer.distribution == "none":
        return tf.distribute.get_strategy()
    strategy = _mirrored_strategy()
    replicas = strategy.num_replicas_in_sync
    if trainer.batch_size % replicas:
        # Keras weighs the replicas' parts of a batch alike.
        raise UserInputError(
            f"trainer.batch_size={trainer.batch_size}: expected a multiple of {replicas}, "
            "equal parts for the devices"
        )
    return strategy


@functools.cache
def _mirrored_strategy() -> tf.distribute.Strategy:
    """Returns a strategy over this machine's GPUs, or its CPU devices if there is none.

    One a process: a second one would number its exchanges of gradients from the start again, and
    TensorFlow takes them for those of the first.
    """
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    logging.info("mirrored training on %d device(s)", len(devices))
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _compile(model: Autoencoder, settings: TrainerSettings, length: TrainingLength) -> None:
    trainer = settings.trainer
    model.trim = trainer.trim
    model.compile(
        optimizer=keras.optimizers.Adam(length.learning_rate(trainer)),
        loss=settings.loss,
        # Keras runs several steps at a time on one device only.
        steps_per_execution=(
            length.steps_per_execution(trainer) if trainer.distribution == "none" else 1
        ),
        # On a CPU, XLA is slower than TensorFlow's own kernels for models this small.
        jit_compile=False,
    )


def _parts(train: SplitReader, trainer: TrainerConfig) -> tuple[SplitReader, SplitReader]:
    """Returns the examples to train on, and those that early stopping watches."""
    parts = (train.kept, train.held_out)
    try:
        for part in parts:
            part.batches(VALIDATION_BATCH_SIZE)
    except ValueError as error:
        raise UserInputError(
            f"trainer.early_stopping_patience={trainer.early_stopping_patience} watches a tenth of "
            "the examples to train on, and they are too few to have one: give more rows, or "
            "--set trainer.early_stopping_patience=0"
        ) from error
    return parts


def _early_stopping(trainer: TrainerConfig) -> list[keras.callbacks.Callback]:
    if not trainer.early_stopping_patience:
        return []
    return [
        keras.callbacks.EarlyStopping(
            monitor="val_loss",
            patience=trainer.early_stopping_patience,
            restore_best_weights=True,
        )
    ]


def _undistributed(model: Autoencoder, settings: TrainerSettings) -> Autoencoder:
    """Returns the model with plain variables: the export holds nothing of devices."""
    plain = build_model(settings.model, settings.shape)
    plain.set_weights(model.get_weights())
    return plain
