"""The served model: one SavedModel that holds preprocessing, weights and threshold."""

import math
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from pipeline_config import SignalData
from trainer.autoencoder import Autoencoder
from trainer.preprocessing_graph import PreprocessingGraph
from trainer.settings import TrainerSettings

SERVING_DEFAULT = "serving_default"
SERVE_EXAMPLES = "serve_examples"
ENCODE = "encode"
SCORE = "score"


class ServedAutoencoder(tf.Module):
    """A trained model with the Transform stage's graph before it.

    Attributes:
        model_variables: The model's `tf.Variable`s in the order of Keras' `model.weights`; the
            next training may start from them.
        threshold: float32 scalar, detectors only. It is +inf, and so nothing is an anomaly,
            until the evaluator assigns it.
        normal_errors: float32 [n], ascending, detectors only: errors of normal examples, by which
            a p-value is found. Empty, and so every p-value is 1, until the evaluator assigns them.

    Args:
        model: Trained.
        tft_output: What Transform wrote.
        settings: What was trained.
    """

    def __init__(
        self, model: Autoencoder, tft_output: tft.TFTransformOutput, settings: TrainerSettings
    ) -> None:
        super().__init__(name=settings.model)
        self.model_variables = [weight.value for weight in model.weights]
        if settings.detector:
            self.threshold = tf.Variable(math.inf, trainable=False, name="threshold")
            self.normal_errors = tf.Variable(
                tf.zeros([0]), shape=[None], trainable=False, name="normal_errors"
            )
        self._settings = settings
        # Without dependency tracking the module would save the Keras model's own functions too.
        self._model = self._no_dependency(model)
        self._preprocessing = PreprocessingGraph(tft_output, settings.feature)

    def signatures(self) -> dict[str, Any]:
        """Returns the four signatures by name.

        `raw` is `signal` float32 [N, L], or [N, L, C] of C > 1 channels, in the data's units, or
        `image` float32 [N, H, W] in 0..255; fractions of a pixel's level are scaled as they are,
        not rounded.

        - `serving_default`: raw -> `reconstruction` (signals in the data's units, images in
          0..1), `error` float32 [N], for signals of several channels `channel_error` float32
          [N, C], and for detectors `threshold` float32 [N], `is_anomaly` bool [N], `p_value`
          float32 [N] and `contribution` float32 [N, *shape].
        - `serve_examples`: `examples` string [N], serialized raw tf.Examples of which only the
          raw feature is read -> the same.
        - `encode`: raw -> `latent` float32 [N, d].
        - `score`: raw, and `noise` float32 [N, *shape] in scaled units -> `error` and
          `noisy_error` float32 [N], of the model and of doing nothing, for the example with the
          noise added and clipped to [0, 1] as in training; and in scaled units `given` and
          `reconstruction` float32 [N, *shape], that example and what the model makes of it. If
          the noise is 0 the example is left as it is, so that zeros score what
          `serving_default` scores.

        An example's error is the mean over its values of the model's deviation (see
        `Autoencoder.assess`); a channel's error is that over its own values. A value's
        contribution is its share of the sum, so that those of an example sum to 1; if the error is
        0 they are equal.

        The p-value is `(1 + #{normal_errors >= error}) / (n + 1)`: the share of normal examples
        that are at least as odd, which for a normal example that was not trained on is at most
        `p` with probability `p` or less (Vovk, Gammerman and Shafer, "Algorithmic Learning in a
        Random World", 2005, section 2.2; inductive conformal prediction).
        """
        shape = [None, *self._settings.shape]
        raw = tf.TensorSpec(shape, tf.float32, name=self._settings.feature)
        noise = tf.TensorSpec(shape, tf.float32, name="noise")
        examples = tf.TensorSpec([None], tf.string, name="examples")
        return {
            name: tf.function(function, input_signature=specs, autograph=False)
            for name, function, specs in (
                (SERVING_DEFAULT, self._serve_raw, [raw]),
                (SERVE_EXAMPLES, self._serve_examples, [examples]),
                (ENCODE, self._encode, [raw]),
                (SCORE, self._score, [raw, noise]),
            )
        }

    def _serve_raw(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        scaled = self._preprocessing.scale(raw)
        reconstruction, deviation = self._model.assess(scaled, scaled, self._settings.loss)
        outputs = {"error": self._error(deviation)}
        if self._settings.feature == SignalData.feature and len(self._settings.shape) > 1:
            outputs["channel_error"] = tf.reduce_mean(deviation, axis=1)
        # A signal goes back to the units it came in; a picture in 0..1 is what viewers expect.
        if self._settings.feature == SignalData.feature:
            reconstruction = self._preprocessing.unscale(reconstruction)
        outputs["reconstruction"] = reconstruction
        if self._settings.detector:
            outputs["threshold"] = tf.fill(tf.shape(outputs["error"]), self.threshold)
            outputs["is_anomaly"] = outputs["error"] > self.threshold
            outputs["p_value"] = self._p_value(outputs["error"])
            outputs["contribution"] = self._contribution(deviation)
        return outputs

    def _serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        raw = tf.io.parse_example(examples, self._preprocessing.raw_spec)[self._settings.feature]
        return self._serve_raw(self._preprocessing.decode(raw))

    def _encode(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        latent = self._model.encode(self._preprocessing.scale(raw))
        return {"latent": tf.reshape(latent, [-1, math.prod(latent.shape[1:])])}

    def _score(self, raw: tf.Tensor, noise: tf.Tensor) -> dict[str, tf.Tensor]:
        scaled = self._preprocessing.scale(raw)
        given = tf.where(noise == 0, scaled, tf.clip_by_value(scaled + noise, 0.0, 1.0))
        loss = self._settings.loss
        reconstruction, deviation = self._model.assess(given, scaled, loss)
        return {
            "error": self._error(deviation),
            "noisy_error": self._error(self._model.deviation(given, scaled, loss)),
            "given": given,
            "reconstruction": reconstruction,
        }

    def _contribution(self, deviation: tf.Tensor) -> tf.Tensor:
        total = tf.reduce_sum(deviation, axis=self._value_axes, keepdims=True)
        equal = tf.fill(tf.shape(deviation), 1.0 / math.prod(self._settings.shape))
        return tf.where(total > 0, deviation / total, equal)

    def _p_value(self, error: tf.Tensor) -> tf.Tensor:
        # Not `tf.searchsorted`, which reshapes and so refuses an empty sequence.
        smaller = tf.raw_ops.LowerBound(
            sorted_inputs=self.normal_errors[tf.newaxis], values=error[tf.newaxis]
        )[0]
        examples = tf.size(self.normal_errors)
        return tf.cast(1 + examples - smaller, tf.float32) / tf.cast(examples + 1, tf.float32)

    @property
    def _value_axes(self) -> list[int]:
        return list(range(1, len(self._settings.shape) + 1))

    def _error(self, deviation: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(deviation, axis=self._value_axes)


def export_model(
    model: Autoencoder,
    tft_output: tft.TFTransformOutput,
    settings: TrainerSettings,
    directory: str,
) -> None:
    """Writes the served model.

    Args:
        model: Trained.
        tft_output: What Transform wrote.
        settings: What was trained.
        directory: Where to; an existing SavedModel there is replaced.
    """
    served = ServedAutoencoder(model, tft_output, settings)
    tf.saved_model.save(served, directory, signatures=served.signatures())
