"""Two tiny models that have the trainer's signatures and attributes, and signals."""

import numpy as np
import tensorflow as tf


class FlatLineDetector(tf.Module):
    """Reconstructs every signal as a flat line, so its error is the distance from that line."""

    def __init__(self, level: float, length: int) -> None:
        super().__init__()
        self.level = tf.Variable(level)
        self.model_variables = [self.level]
        self.threshold = tf.Variable(np.inf, trainable=False, dtype=tf.float32)
        self.normal_errors = tf.Variable(tf.zeros([0]), shape=[None], trainable=False)
        self._length = length

    def save(self, directory: str) -> None:
        signals = tf.TensorSpec([None, self._length], tf.float32, name="signal")
        noise = tf.TensorSpec([None, self._length], tf.float32, name="noise")

        @tf.function(input_signature=[signals])
        def serve(signal: tf.Tensor) -> dict[str, tf.Tensor]:
            error = tf.reduce_mean(tf.abs(signal - self.level), axis=1)
            return {
                "reconstruction": tf.zeros_like(signal) + self.level,
                "error": error,
                "threshold": tf.zeros_like(error) + self.threshold,
                "is_anomaly": error > self.threshold,
            }

        @tf.function(input_signature=[signals, noise])
        def score(signal: tf.Tensor, noise: tf.Tensor) -> dict[str, tf.Tensor]:
            return {
                "error": tf.reduce_mean(tf.abs(signal - self.level), axis=1),
                "noisy_error": tf.reduce_mean(tf.abs(noise), axis=1),
            }

        tf.saved_model.save(self, directory, {"serving_default": serve, "score": score})


class DimmingReconstructor(tf.Module):
    """Returns the given image times a gain: with gain 1, exactly what it was given."""

    def __init__(self, gain: float, shape: tuple[int, int]) -> None:
        super().__init__()
        self.gain = tf.Variable(gain)
        self.model_variables = [self.gain]
        self._shape = shape

    def save(self, directory: str) -> None:
        images = tf.TensorSpec([None, *self._shape], tf.float32, name="image")
        noise = tf.TensorSpec([None, *self._shape], tf.float32, name="noise")

        @tf.function(input_signature=[images, noise])
        def score(image: tf.Tensor, noise: tf.Tensor) -> dict[str, tf.Tensor]:
            scaled = image / 255.0
            given = scaled + noise
            return {
                "error": tf.reduce_mean(tf.square(given * self.gain - scaled), axis=[1, 2]),
                "noisy_error": tf.reduce_mean(tf.square(given - scaled), axis=[1, 2]),
                "given": given,
                "reconstruction": given * self.gain,
            }

        tf.saved_model.save(self, directory, {"score": score})


def make_beats(
    *, normal: int, anomalies: int, seed: int, length: int = 12
) -> tuple[np.ndarray, np.ndarray]:
    """Makes signals around 0.5, the anomalies (label 0) farther from it than the normal ones."""
    random = np.random.default_rng(seed)
    spread = np.r_[np.full(normal, 0.1), np.full(anomalies, 0.2)][:, None]
    signals = 0.5 + spread * random.normal(size=(normal + anomalies, length))
    labels = np.r_[np.ones(normal, int), np.zeros(anomalies, int)]
    order = random.permutation(len(labels))
    return signals[order].astype(np.float32), labels[order]
