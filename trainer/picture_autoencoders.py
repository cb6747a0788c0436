"""Autoencoders for pictures that do better than the tutorial's, at a few times its cost."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from trainer.autoencoder import Autoencoder, require_two_sizes

LATENT = 64
"""Latent values of a `WideAutoencoder`, as the tutorial's dense autoencoder has."""

MOST_ANALYSED = 10_000
"""Examples that the principal components are found in, so that their memory has a bound."""

_WIDE, _MIXED = 1024, 128
_LEAST_VARIANCE = 1e-10


class WideAutoencoder(Autoencoder):
    """A principal component analysis that wide dense layers correct; 64 latent values.

    The latent values are the principal components, in standard deviations, plus what a wide layer
    makes of the picture. The reconstruction is that of the principal components plus what another
    wide layer makes of the latent values. Both corrections begin at 0, so that training begins
    where the analysis is and has the rest to learn; output and latent values are linear. In use,
    not in training, the reconstruction is clipped to [0, 1].

    Args:
        shape: Shape of one example, of any rank: an image, or a signal of one channel or several.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        size = math.prod(shape)
        encoder = keras.Sequential(_correction(size, LATENT), name="encoder")
        decoder = keras.Sequential(
            [*_correction(LATENT, size), layers.Reshape(tuple(shape))], name="decoder"
        )
        super().__init__(shape, encoder, decoder)
        self.components = PrincipalComponents(shape, LATENT)

    def adapt(self, batches: Iterable[tuple[Any, Any]]) -> None:
        """Takes the principal components from the training examples."""
        self.components.adapt(target for _, target in batches)

    def encode(self, x: Any) -> Any:
        """Returns the latent code, float32 [N, 64], of float32 [N, *shape]."""
        return self.components(x) + self.encoder(self.components.centred(x))

    def call(self, x: Any, training: bool = False) -> Any:
        """Returns the reconstruction, float32 [N, *shape], of float32 [N, *shape]."""
        latent = self.encode(x)
        reconstruction = self.components.undo(latent) + self.decoder(latent)
        return reconstruction if training else ops.clip(reconstruction, 0.0, 1.0)


class PrincipalComponents(layers.Layer):
    """Principal components in standard deviations, float32 [N, count], of float32 [N, *shape].

    Until `adapt` has seen examples, all of them are 0.

    Args:
        shape: Shape of one example.
        count: How many; if there are fewer, the rest are 0.
    """

    def __init__(self, shape: Sequence[int], count: int) -> None:
        super().__init__(trainable=False)
        self._shape, self._count = tuple(shape), count
        size = math.prod(shape)
        self._mean = self.add_weight(shape=(size,), initializer="zeros", name="mean")
        self._basis = self.add_weight(shape=(size, count), initializer="zeros", name="basis")
        self._deviation = self.add_weight(shape=(count,), initializer="ones", name="deviation")
        self.built = True

    def adapt(self, examples: Iterable[Any]) -> None:
        """Finds them in the first `MOST_ANALYSED` examples, with scikit-learn.

        Args:
            examples: Batches, float32 [n, *shape].
        """
        from sklearn.decomposition import PCA

        rows = np.concatenate([*_first(examples, MOST_ANALYSED)]).reshape(-1, self._basis.shape[0])
        basis = np.zeros(self._basis.shape, np.float32)
        deviation = np.ones(self._count, np.float32)
        # A single example, or examples that are all alike, have no components.
        if np.ptp(rows, axis=0).any():
            found = PCA(min(self._count, *rows.shape), svd_solver="randomized", random_state=0)
            found.fit(rows)
            used = found.explained_variance_ > _LEAST_VARIANCE
            basis[:, : len(used)][:, used] = found.components_[used].T
            deviation[: len(used)][used] = np.sqrt(found.explained_variance_[used])
        self._mean.assign(rows.mean(axis=0))
        self._basis.assign(basis)
        self._deviation.assign(deviation)

    def centred(self, x: Any) -> Any:
        """Returns float32 [N, values], the examples less their mean."""
        return ops.reshape(x, (-1, math.prod(self._shape))) - self._mean

    def call(self, x: Any) -> Any:
        """Returns the components."""
        return ops.matmul(self.centred(x), self._basis) / self._deviation

    def undo(self, components: Any) -> Any:
        """Returns float32 [N, *shape], the examples that have these components and no others."""
        values = ops.matmul(components * self._deviation, ops.transpose(self._basis))
        return ops.reshape(values + self._mean, (-1, *self._shape))


class ResidualDenoiser(Autoencoder):
    """A small U-Net that estimates the noise, which is then taken off the input.

    Two strided convolutions lead to a quarter of the size and 80 channels. There, dense layers over
    all positions see the whole example, before another convolution; on the way back, the
    half size sees what it was given again, over a skip connection. Sources: the residual, K. Zhang
    et al.: Beyond a Gaussian denoiser. IEEE Transactions on Image Processing 26 (2017); the skip
    connection, O. Ronneberger et al.: U-Net. MICCAI (2015); the dense layers over positions,
    I. Tolstikhin et al.: MLP-Mixer. NeurIPS (2021); the enlargement by channels that become
    pixels, W. Shi et al.: Real-time single image and video super-resolution using an efficient
    sub-pixel convolutional neural network. CVPR (2016). No layer works at full size, as that is
    where a convolution costs most.

    Inside the training part of Fashion-MNIST, after 3 epochs of 16,000 examples and with 64
    channels, the dense layers before the convolution lowered the MSE of others from 0.0062 to
    0.0059, at 3 % more time; a third level, at an eighth of the size, took 20 % more time and was
    behind them.

    In use, not in training, the reconstruction is clipped to [0, 1].

    Args:
        shape: Height and width of an image, or length and channels of a signal.

    Raises:
        UserInputError: `shape` is not two sizes.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        require_two_sizes("ResidualDenoiser", shape)
        half, quarter = 32, 80
        image = keras.Input((*shape, 1))
        skip = _convolution(half, strides=2)(image)
        code = _convolution(quarter, strides=2)(skip)
        encoder = keras.Model(image, [code, skip], name="encoder")

        code, skip = keras.Input(code.shape[1:]), keras.Input(skip.shape[1:])
        deep = _convolution(quarter)(_mixed(code))
        wide = _enlarged(layers.Conv2D(4 * half, 1)(deep), skip.shape[1:3])
        wide = _convolution(half)(layers.ReLU()(layers.Add()([wide, skip])))
        noise = _enlarged(layers.Conv2D(4, 3, padding="same")(wide), shape)
        decoder = keras.Model([code, skip], ops.squeeze(noise, -1), name="decoder")
        super().__init__(shape, encoder, decoder)

    def encode(self, x: Any) -> Any:
        """Returns the latent code, float32 [N, H/4, W/4, 80] (rounded up), of [N, H, W]."""
        code, _ = self.encoder(ops.expand_dims(x, -1))
        return code

    def call(self, x: Any, training: bool = False) -> Any:
        """Returns the reconstruction, float32 [N, H, W], of float32 [N, H, W]."""
        reconstruction = x - self.decoder(self.encoder(ops.expand_dims(x, -1)))
        return reconstruction if training else ops.clip(reconstruction, 0.0, 1.0)


def _correction(given: int, returned: int) -> list[Any]:
    """Returns the layers of a correction that begins at 0."""
    return [
        keras.Input((given,)),
        layers.Dense(_WIDE, activation="relu"),
        layers.Dense(returned, kernel_initializer="zeros"),
    ]


def _first(batches: Iterable[Any], count: int) -> Iterator[np.ndarray]:
    """Yields the batches that begin with the first examples, so many or all."""
    for batch in batches:
        if count <= 0:
            return
        yield np.asarray(batch)[:count]
        count -= len(batch)


def _convolution(channels: int, strides: int = 1) -> layers.Layer:
    return layers.Conv2D(channels, 3, strides=strides, padding="same", activation="relu")


def _mixed(pixels: Any) -> Any:
    """Adds to each position what dense layers make of all positions of its channel; at first 0.

    Args:
        pixels: float32 [N, H, W, C].

    Returns:
        float32 [N, H, W, C].
    """
    height, width, channels = pixels.shape[1:]
    by_channel = layers.Permute((2, 1))(layers.Reshape((height * width, channels))(pixels))
    hidden = layers.Dense(_MIXED, activation="relu")(by_channel)
    added = layers.Dense(height * width, kernel_initializer="zeros")(hidden)
    added = layers.Reshape((height, width, channels))(layers.Permute((2, 1))(added))
    return layers.Add()([pixels, added])


def _enlarged(pixels: Any, size: Sequence[int]) -> Any:
    """Makes 2 x 2 pixels of the channels of each, and crops them to a size.

    Args:
        pixels: float32 [N, H, W, 4 * C].
        size: Up to 2 * H and 2 * W.

    Returns:
        float32 [N, *size, C].
    """
    height, width, channels = pixels.shape[1:]
    blocks = ops.reshape(pixels, (-1, height, width, 2, 2, channels // 4))
    rows = ops.transpose(blocks, (0, 1, 3, 2, 4, 5))
    whole = ops.reshape(rows, (-1, 2 * height, 2 * width, channels // 4))
    return whole[:, : size[0], : size[1]]
