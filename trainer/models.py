"""The models by name, and the three of TensorFlow's "Intro to Autoencoders" tutorial."""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import layers

from pipeline_config import UserInputError
from trainer.autoencoder import Autoencoder, require_two_sizes
from trainer.picture_autoencoders import ResidualDenoiser, WideAutoencoder
from trainer.signal_autoencoder import SignalAutoencoder


class BasicAutoencoder(Autoencoder):
    """One dense layer each way, 64 latent values.

    An example is flattened, and its reconstruction reshaped.

    Args:
        shape: Shape of one example, of any rank: an image, or a signal of one channel or several.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        latent = 64
        encoder = keras.Sequential(
            [keras.Input(shape), layers.Flatten(), layers.Dense(latent, activation="relu")],
            name="encoder",
        )
        decoder = keras.Sequential(
            [
                keras.Input((latent,)),
                layers.Dense(math.prod(shape), activation="sigmoid"),
                layers.Reshape(tuple(shape)),
            ],
            name="decoder",
        )
        super().__init__(shape, encoder, decoder)


class DenoisingAutoencoder(Autoencoder):
    """Strided convolutions down to 8 channels at a quarter of the size, and back.

    The encoder and the decoder see a channel axis, the data has none: a signal of several channels
    is taken as an image of `length` rows and a column a channel. Each stride rounds the size up, so
    the decoder's output may be up to 3 pixels larger than the input and is cropped.

    Args:
        shape: Height and width of an image, or length and channels of a signal.

    Raises:
        UserInputError: `shape` is not two sizes.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        require_two_sizes("DenoisingAutoencoder", shape)
        encoder = keras.Sequential(
            [
                keras.Input((*shape, 1)),
                layers.Conv2D(16, (3, 3), activation="relu", padding="same", strides=2),
                layers.Conv2D(8, (3, 3), activation="relu", padding="same", strides=2),
            ],
            name="encoder",
        )
        decoder = keras.Sequential(
            [
                keras.Input(encoder.output_shape[1:]),
                layers.Conv2DTranspose(
                    8, kernel_size=3, strides=2, activation="relu", padding="same"
                ),
                layers.Conv2DTranspose(
                    16, kernel_size=3, strides=2, activation="relu", padding="same"
                ),
                layers.Conv2D(1, kernel_size=(3, 3), activation="sigmoid", padding="same"),
            ],
            name="decoder",
        )
        super().__init__(shape, encoder, decoder)

    def encode(self, x: Any) -> Any:
        """Returns the latent code, float32 [N, H/4, W/4, 8] (rounded up), of [N, H, W]."""
        return self.encoder(keras.ops.expand_dims(x, -1))

    def call(self, x: Any) -> Any:
        """Returns the reconstruction, float32 [N, H, W], of float32 [N, H, W]."""
        height, width = self.shape
        return self.decoder(self.encode(x))[:, :height, :width, 0]


class AnomalyDetector(Autoencoder):
    """Dense layers 32, 16, 8 and back; what it reconstructs badly is unlike what it has seen.

    An example is flattened, and its reconstruction reshaped: the tutorial's layers see the channels
    of a signal as more samples.

    Args:
        shape: Shape of one example, of any rank; `(length,)` in the tutorial.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        encoder = keras.Sequential(
            [
                keras.Input(shape),
                layers.Flatten(),
                layers.Dense(32, activation="relu"),
                layers.Dense(16, activation="relu"),
                layers.Dense(8, activation="relu"),
            ],
            name="encoder",
        )
        decoder = keras.Sequential(
            [
                keras.Input((8,)),
                layers.Dense(16, activation="relu"),
                layers.Dense(32, activation="relu"),
                layers.Dense(math.prod(shape), activation="sigmoid"),
                layers.Reshape(tuple(shape)),
            ],
            name="decoder",
        )
        super().__init__(shape, encoder, decoder)


MODELS: Mapping[str, Callable[[Sequence[int]], Autoencoder]] = {
    "BasicAutoencoder": BasicAutoencoder,
    "DenoisingAutoencoder": DenoisingAutoencoder,
    "AnomalyDetector": AnomalyDetector,
    "SignalAutoencoder": SignalAutoencoder,
    "WideAutoencoder": WideAutoencoder,
    "ResidualDenoiser": ResidualDenoiser,
}


def build_model(name: str, shape: Sequence[int]) -> Autoencoder:
    """Returns an untrained model.

    Args:
        name: A key of `MODELS`.
        shape: Shape of one example.

    Returns:
        The model, built.

    Raises:
        UserInputError: There is no model of that name, or it does not take that shape.
    """
    if name not in MODELS:
        nearest = difflib.get_close_matches(name, MODELS, n=1)
        hint = f" (did you mean {nearest[0]}?)" if nearest else ""
        raise UserInputError(f"model={name!r}{hint}: expected one of {', '.join(MODELS)}")
    return MODELS[name](shape)
