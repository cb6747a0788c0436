"""An autoencoder for signals of any length and kind that needs no tuning for the data."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from pipeline_config import Loss
from trainer.autoencoder import Autoencoder, mean_of_values, off_by
from trainer.trimmed_mean import TrimmedMean

LATENTS = (2, 3, 4, 6, 8)
"""Latent values of each member. The right number depends on the data and is not known: too few
blur normal examples, too many let abnormal ones through."""

_WIDE, _NARROW = 64, 32
_NOISE = 0.1
_CHANNEL_FLOOR, _FLOOR, _LEAST = 0.1, 1e-3, 1e-6
_WINDOWS = 40


class SignalAutoencoder(Autoencoder):
    """Dense autoencoders of several latent sizes, trained side by side on standardised values.

    - Each value is standardised by its mean and standard deviation over the training examples, so
      that a part of a signal where normal examples hardly differ is learnt as well as one where
      they differ widely. The standard deviation has a floor, of a tenth of its channel's, so that
      a value that never changes does not decide alone.
    - The input of a training step has Gaussian noise of 0.1 standard deviations, so that a member
      learns the way back to the normal examples rather than the identity (Vincent et al. 2010,
      "Stacked Denoising Autoencoders").
    - Each member is dense, 64, 32, its latent values, 32, 64, with ELU and a linear output. They
      begin at other weights, see the same batches and are trained one by one: an ensemble (Chen et
      al. 2017, "Outlier Detection with Autoencoder Ensembles"), computed as one model with stacked
      weights.

    The reconstruction is the mean of the members', the deviation the mean of theirs in scaled
    units, smoothed along the signal (`smoothed`): what is left of a normal example is mostly noise
    that differs from sample to sample, an anomaly lasts for some. An example's error is the mean of
    the members' errors.

    Inside the training parts of seven data sets of signals, 4 inner splits each, the mean ROC AUC
    was 0.976 with the smoothing and without it, where the distance to the nearest normal example
    had 0.970 and the error in standard deviations 0.974. On heartbeats the smoothing raised it from
    0.991 to 0.992, and the accuracy at a false-alarm rate of 0.02 from 0.947 to 0.981. With
    `trainer.trim` of 0.2, a tenth of the abnormal heartbeats among the training examples lowered
    the ROC AUC by 0.009; without, one in a hundred lowered it by 0.05.

    Args:
        shape: Shape of one example, of any rank: `(length,)` or `(length, channels)`.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        size, members = math.prod(shape), len(LATENTS)
        encoder = keras.Sequential(
            [
                keras.Input((size,)),
                StackedDense(members, _WIDE, "elu"),
                StackedDense(members, _NARROW, "elu"),
                StackedDense(members, max(LATENTS)),
                _OwnLatents(LATENTS),
            ],
            name="encoder",
        )
        decoder = keras.Sequential(
            [
                keras.Input(batch_shape=(members, None, max(LATENTS))),
                StackedDense(members, _NARROW, "elu"),
                StackedDense(members, _WIDE, "elu"),
                StackedDense(members, size),
            ],
            name="decoder",
        )
        super().__init__(shape, encoder, decoder)
        self.standardised = Standardised(shape)
        self.noise = layers.GaussianNoise(_NOISE)

    def adapt(self, batches: Iterable[tuple[Any, Any]]) -> None:
        """Takes the mean and standard deviation of each value from the training examples."""
        self.standardised.adapt(target for _, target in batches)

    def encode(self, x: Any) -> Any:
        """Returns the latent code, float32 [N, members, 8], of float32 [N, *shape].

        A member's code of fewer values is followed by zeros.
        """
        return ops.transpose(self.encoder(self.standardised(x)), (1, 0, 2))

    def call(self, x: Any, training: bool = False) -> Any:
        """Returns the reconstruction, float32 [N, *shape], of float32 [N, *shape].

        In training it is that of each member, float32 [members, N, values], standardised.
        """
        if training:
            noisy = self.noise(self.standardised(x), training=True)
            return self.decoder(self.encoder(noisy))
        return self.standardised.undo(ops.mean(self._reconstructions(x), axis=0))

    def assess(self, given: Any, x: Any, loss: Loss) -> tuple[Any, Any]:
        """Returns the mean reconstruction and the mean of the members' deviations."""
        each = self.standardised.undo(self._reconstructions(given))
        return ops.mean(each, axis=0), ops.mean(self.deviation(each, x, loss), axis=0)

    def deviation(self, reconstruction: Any, x: Any, loss: Loss) -> Any:
        """Returns by how much each value is off, as of any autoencoder, but of smoothed signals."""
        return off_by(smoothed(reconstruction - x, self.shape), loss)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Returns the mean error of a batch: in training of standardised values, else as served."""
        if training:
            difference = (y_pred - self.standardised(y)) * self.standardised.typical
            errors, trim = ops.mean(off_by(difference, self.loss), axis=(0, 2)), self.trim
        else:
            errors, trim = mean_of_values(self.assess(x, y, self.loss)[1]), 0.0
        return TrimmedMean(trim)(errors, errors)

    def _reconstructions(self, x: Any) -> Any:
        return self.decoder(self.encoder(self.standardised(x)))


def smoothed(differences: Any, shape: Sequence[int]) -> Any:
    """Smooths signals along their samples, each channel by itself.

    Two moving averages over an odd number of samples, about a fortieth of the signal, one after the
    other: a triangular window. Signals of less than 80 samples are left as they are. At either end
    the average is of the samples that there are.

    Args:
        differences: float32 [..., *shape].
        shape: Of one signal, its samples first.

    Returns:
        float32, of the same shape.
    """
    length, width = shape[0], math.prod(shape[1:])
    window = length // _WINDOWS // 2 * 2 + 1
    if window == 1:
        return differences
    # All signals are channels of a single one, as pooling computes many channels at a time.
    samples_first = ops.transpose(ops.reshape(differences, (-1, length, width)), (1, 0, 2))
    values = ops.reshape(samples_first, (1, length, -1))
    for _ in range(2):
        values = ops.average_pool(values, window, strides=1, padding="same")
    signals_first = ops.transpose(ops.reshape(values, (length, -1, width)), (1, 0, 2))
    return ops.reshape(signals_first, ops.shape(differences))


@keras.saving.register_keras_serializable("aepipe")
class StackedDense(layers.Layer):
    """One dense layer for each member of an ensemble: float32 [members, N, units].

    Args:
        members: How many.
        units: Outputs of each.
        activation: Keras' name of one; None for a linear output.

    Its input is float32 [N, values], the same for all members, or [members, N, values].
    """

    def __init__(self, members: int, units: int, activation: str | None = None) -> None:
        super().__init__()
        self._members, self._units = members, units
        self._activation = keras.activations.get(activation)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Makes the weights: each member's as Keras' `Dense` has them (Glorot uniform)."""
        self._kernel = self.add_weight(
            shape=(self._members, input_shape[-1], self._units),
            # Keras takes the first axis for a convolution's window, which adds to the fans.
            initializer=keras.initializers.VarianceScaling(self._members, "fan_avg", "uniform"),
            name="kernel",
        )
        self._bias = self.add_weight(
            shape=(self._members, 1, self._units), initializer="zeros", name="bias"
        )

    def call(self, x: Any) -> Any:
        """Returns the members' outputs."""
        return self._activation(ops.matmul(x, self._kernel) + self._bias)


class _OwnLatents(layers.Layer):
    """Sets to 0 what is beyond a member's own number of latent values."""

    def __init__(self, latents: Sequence[int]) -> None:
        super().__init__()
        own = np.arange(max(latents)) < np.array(latents)[:, None]
        self._own = own[:, None].astype(np.float32)

    def call(self, x: Any) -> Any:
        return x * self._own


class Standardised(layers.Layer):
    """Standardises each value by its own mean and standard deviation in the training examples.

    Attributes:
        typical: float32 scalar, the mean standard deviation: a unit that is the same for all
            values.

    Args:
        shape: Shape of one example; of two axes, the second has the channels.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self._shape = tuple(shape)
        size = math.prod(shape)
        self._mean = self.add_weight(shape=(size,), initializer="zeros", trainable=False)
        self._deviation = self.add_weight(shape=(size,), initializer="ones", trainable=False)
        self.typical = self.add_weight(shape=(), initializer="ones", trainable=False)
        self.built = True

    def adapt(self, batches: Iterable[Any]) -> None:
        """Takes the mean and the standard deviation from batches of float32 [n, *shape]."""
        count, total, squares = 0, 0.0, 0.0
        for batch in batches:
            values = np.asarray(batch, np.float64)
            count += len(values)
            total, squares = total + values.sum(axis=0), squares + np.square(values).sum(axis=0)
        mean = np.asarray(total) / count
        variance = np.maximum(np.asarray(squares) / count - np.square(mean), 0.0)
        of_channel = np.sqrt(variance.mean(axis=0))
        floor = np.maximum(_CHANNEL_FLOOR * of_channel, _FLOOR * np.sqrt(variance.mean()))
        deviation = np.maximum(np.sqrt(variance), np.maximum(floor, _LEAST))
        self._mean.assign(mean.ravel())
        self._deviation.assign(deviation.ravel())
        self.typical.assign(deviation.mean())

    def call(self, x: Any) -> Any:
        """Returns float32 [N, values], standardised, of float32 [N, *shape]."""
        return (ops.reshape(x, (-1, math.prod(self._shape))) - self._mean) / self._deviation

    def undo(self, values: Any) -> Any:
        """Returns float32 [..., *shape] of standardised float32 [..., values]."""
        unscaled = values * self._deviation + self._mean
        return ops.reshape(unscaled, (*ops.shape(values)[:-1], *self._shape))
