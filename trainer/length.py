"""How long a training is, and what follows from it: the schedule of Adam's step size."""

import dataclasses
import math

import keras
import tensorflow as tf

from pipeline_config import TrainerConfig


@dataclasses.dataclass(frozen=True)
class TrainingLength:
    """A training's gradient steps.

    Attributes:
        steps_per_epoch: Of each of `trainer.epochs` parts.
        steps: In all.
    """

    steps_per_epoch: int
    steps: int

    @classmethod
    def of(cls, trainer: TrainerConfig, batches: tf.data.Dataset) -> "TrainingLength":
        """Returns the length that the settings ask for.

        Args:
            trainer: With `steps`, or `epochs` alone.
            batches: One epoch of the training examples; read if its length matters but is not
                known.
        """
        if trainer.steps:
            part = math.ceil(trainer.steps / trainer.epochs)
            return cls(part, part * trainer.epochs)
        part = int(batches.cardinality())
        if part < 0 and trainer.schedule != "constant":
            part = int(batches.reduce(0, lambda count, _: count + 1))
        return cls(part, part * trainer.epochs)

    def learning_rate(
        self, trainer: TrainerConfig
    ) -> float | keras.optimizers.schedules.LearningRateSchedule:
        """Returns Adam's step size, or how it falls."""
        if trainer.schedule == "constant":
            return trainer.learning_rate
        return keras.optimizers.schedules.CosineDecay(trainer.learning_rate, self.steps)

    def steps_per_execution(self, trainer: TrainerConfig) -> int:
        """Returns how many steps Keras runs at a time.

        An endless dataset does not stop in between: if steps are set, it is a divisor of a part.
        """
        if not trainer.steps:
            return trainer.steps_per_execution
        return math.gcd(self.steps_per_epoch, trainer.steps_per_execution)
