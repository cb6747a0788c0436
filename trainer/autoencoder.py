"""What every autoencoder is: a reconstruction, and by how much it is off."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras

from pipeline_config import Loss, UserInputError
from trainer.trimmed_mean import TrimmedMean


class Autoencoder(keras.Model):
    """An encoder and a decoder, one after the other; input and output have the same shape.

    Attributes:
        trim: Share of each training batch, the worst reconstructed, that is left out of its loss.

    Args:
        shape: Shape of one example.
        encoder: Built from `shape`.
        decoder: Built from the encoder's output.
    """

    trim: float = 0.0

    def __init__(
        self, shape: Sequence[int], encoder: keras.Sequential, decoder: keras.Sequential
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.encoder = encoder
        self.decoder = decoder
        # Encoder and decoder are built by their `Input`s: there is nothing left to build.
        self.built = True

    def encode(self, x: Any) -> Any:
        """Returns the latent code, float32 [N, ...], of float32 [N, *shape]."""
        return self.encoder(x)

    def call(self, x: Any) -> Any:
        """Returns the reconstruction, float32 [N, *shape], of float32 [N, *shape]."""
        return self.decoder(self.encode(x))

    def adapt(self, batches: Iterable[tuple[Any, Any]]) -> None:
        """Takes from the training examples what is not learnt by gradients; here nothing.

        Args:
            batches: What `fit` is given, once through: pairs of float32 [n, *shape].
        """

    def assess(self, given: Any, x: Any, loss: Loss) -> tuple[Any, Any]:
        """Returns an answer and by how much it is off, outside training.

        Args:
            given: float32 [N, *shape], what the model sees.
            x: float32 [N, *shape], what it is to return.
            loss: As of `deviation`.

        Returns:
            The reconstruction and its deviation, both float32 [N, *shape].
        """
        reconstruction = self(given, training=False)
        return reconstruction, self.deviation(reconstruction, x, loss)

    def deviation(self, reconstruction: Any, x: Any, loss: Loss) -> Any:
        """Returns by how much each value is off; the mean of an example's is its error.

        Args:
            reconstruction: float32 [N, *shape].
            x: float32 [N, *shape], what it is compared with.
            loss: "mae" for the difference's size, "mse" for its square, in scaled units.

        Returns:
            float32 [N, *shape], 0 or more.
        """
        return off_by(reconstruction - x, loss)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Returns a batch's loss: Keras' own, or in training the trimmed one if `trim` is set."""
        if not (training and self.trim):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        errors = mean_of_values(self.deviation(y_pred, y, self.loss))
        return TrimmedMean(self.trim)(errors, errors)


def require_two_sizes(model: str, shape: Sequence[int]) -> None:
    """Checks the shape of the examples of a model of two-dimensional convolutions.

    Raises:
        UserInputError: It is not two sizes.
    """
    if len(shape) != 2:
        raise UserInputError(
            f"model={model}: examples of shape {tuple(shape)}; "
            "use data with a height and a width, or a signal of 2 or more channels"
        )


def off_by(difference: Any, loss: Loss) -> Any:
    """Returns the size of each difference ("mae") or its square ("mse")."""
    return keras.ops.abs(difference) if loss == "mae" else keras.ops.square(difference)


def mean_of_values(values: Any) -> Any:
    """Returns float32 [N], the mean over each example's values, of float32 [N, ...]."""
    return keras.ops.mean(values, axis=tuple(range(1, len(values.shape))))
