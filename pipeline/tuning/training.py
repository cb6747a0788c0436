"""One trial: a training on a part of the training split, judged by the rest of it."""

import dataclasses
import math
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from pipeline.build import training_settings
from pipeline.tuning.trials import DivergedError, OnEpoch
from pipeline_config import CALIBRATION_SPLIT, SPLITS, Loss, PipelineConfig, UserInputError
from trainer.autoencoder import Autoencoder
from trainer.input import VALIDATION_BATCH_SIZE, SplitReader
from trainer.settings import TrainerSettings
from trainer.train import fit


@dataclasses.dataclass(frozen=True)
class TuningData:
    """What trials train on and are judged by; no example of the eval split.

    Attributes:
        train: The examples to train on.
        held_out: The examples that the objective is computed on: of a detector, normal ones.
        held_out_batches: All of `held_out`, decoded once.
        described: How many these are, and where from.
    """

    train: SplitReader
    held_out: SplitReader
    held_out_batches: tf.data.Dataset
    described: str

    @classmethod
    def of(cls, config: PipelineConfig, graph: str, examples: str) -> "TuningData":
        """Returns the data of a pipeline's trials.

        With `data.held_out` they are judged by the calibration split; else by a tenth of the
        training split, chosen by a hash of the example's id, that none of them trains on. Early
        stopping watches what it does in a run, with that tenth in the place of the eval split.

        Args:
            config: The pipeline.
            graph: Transform's graph.
            examples: Transform's examples, one folder a split.

        Raises:
            UserInputError: There is no example to be judged by.
        """
        output = tft.TFTransformOutput(graph)
        settings = dataclasses.replace(_settings(config), validates_on_held_out=True)
        train, calibration = (
            [f"{examples}/Split-{name}/*"] for name in (SPLITS[0], CALIBRATION_SPLIT)
        )
        if config.data.held_out:
            origin = "of the calibration split"
            reader = SplitReader(train, output, settings.labels)
            held_out = SplitReader(calibration, output, settings.validation_labels)
        else:
            origin = "of the training split, a tenth that no trial trains on"
            reader = SplitReader(train, output, settings.labels).kept
            held_out = SplitReader(train, output, settings.validation_labels).held_out
        try:
            batches = held_out.batches(VALIDATION_BATCH_SIZE)
        except ValueError as error:
            raise UserInputError(f"there is no normal example {origin}: more data") from error
        count = sum(len(clean) for _, clean in batches)
        kind = "normal examples" if config.is_detector else "examples"
        return cls(reader, held_out, batches, f"{count:,} {kind} {origin}")


def train_trial(config: PipelineConfig, data: TuningData, on_epoch: OnEpoch) -> float:
    """Trains a model and returns the objective: see `mean_error`.

    Args:
        config: With the values of the trial.
        data: What to train on and what to judge by.
        on_epoch: Called after each epoch.

    Raises:
        DivergedError: The training has diverged.
        MemoryError: It takes more memory than there is.
        UserInputError: A setting does not fit another, this machine, or so few examples.
    """
    # What earlier trials left in memory.
    keras.backend.clear_session()
    settings = _settings(config)

    def judge(model: Autoencoder, epochs: int) -> float:
        error = mean_error(model, data.held_out_batches, config.loss)
        if not math.isfinite(error):
            raise DivergedError(f"the error is not a number after epoch {epochs}")
        return error

    class Judged(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            on_epoch(epoch + 1, judge(self.model, epoch + 1))

    try:
        model, history = fit(settings, data.train, data.held_out, [Judged()])
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(error.message) from error
    return judge(model, len(history["loss"]))


def mean_error(model: Autoencoder, batches: tf.data.Dataset, loss: Loss) -> float:
    """Returns the mean reconstruction error of the examples, as the served model has it.

    It is the mean deviation in scaled units, whatever the training's own loss adds or leaves out,
    so that trials of any settings compare.

    Args:
        model: Trained.
        batches: Pairs (given, clean) of float32 [n, *shape].
        loss: "mae" or "mse".
    """
    total, count = 0.0, 0

    @tf.function(autograph=False, reduce_retracing=True)
    def sum_of_errors(given: tf.Tensor, clean: tf.Tensor) -> tf.Tensor:
        _, deviation = model.assess(given, clean, loss)
        return tf.reduce_sum(tf.reduce_mean(deviation, axis=list(range(1, deviation.shape.rank))))

    for given, clean in batches:
        total += float(sum_of_errors(given, clean))
        count += len(clean)
    return total / count


def _settings(config: PipelineConfig) -> TrainerSettings:
    return TrainerSettings.from_custom_config({"config": training_settings(config)})
