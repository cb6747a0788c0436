"""Reconstruction errors of a batch of examples, by a loaded model."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.saved.saved_transform_io_v2 import SavedModelLoader

from components.raw_examples import parse
from components.threshold_evaluator.config import EvaluationConfig
from pipeline_config import NOISY_FEATURE, TARGET_FEATURE

SCORE_SIGNATURE = "score"


class NotScorable(Exception):  # noqa: N818 - a finding about a model, not an error.
    """An earlier model does not fit the examples of this pipeline."""


class Scores(NamedTuple):
    """Errors of examples, in their order: of a batch, or of a split's files and their records.

    Attributes:
        error: float32 [N]; mean reconstruction error over the values of an example.
        label: int16 [N].
        noisy_error: float32 [N]; error of the noisy input itself, equal to doing nothing.
    """

    error: np.ndarray
    label: np.ndarray
    noisy_error: np.ndarray


class Scorer:
    """A loaded model that scores serialized examples.

    Args:
        model_directory: SavedModel with a `score` signature.
        transform_graph: URI of Transform's graph, the source of the noise; read if
            `config.noise` is above 0.
        config: Feature, shape and noise.
    """

    def __init__(
        self, model_directory: str, transform_graph: str, config: EvaluationConfig
    ) -> None:
        self._config = config
        # Kept: a signature holds its model's variables by weak reference only.
        self._model = tf.saved_model.load(model_directory)
        self._signature = self._model.signatures[SCORE_SIGNATURE]
        if config.noise > 0:
            transform = tft.TFTransformOutput(transform_graph)
            self._raw_spec = transform.raw_feature_spec()
            # Not `transform_features_layer`: that is a tf_keras layer, beside our Keras 3.
            self._transform = SavedModelLoader(transform.transform_savedmodel_dir)
        self.score = tf.function(
            self._score, input_signature=[tf.TensorSpec([None], tf.string, name="examples")]
        )

    def _score(self, examples: tf.Tensor) -> Scores:
        raw, label = parse(examples, self._config.feature, self._config.shape)
        outputs = self._signature(**{self._config.feature: raw, "noise": self._noise(examples)})
        return Scores(outputs["error"], label, outputs["noisy_error"])

    def _noise(self, examples: tf.Tensor) -> tf.Tensor:
        if self._config.noise == 0:
            return tf.zeros([tf.size(examples), *self._config.shape])
        transformed = self._transform.apply_transform_model(
            tf.io.parse_example(examples, self._raw_spec)
        )
        return transformed[NOISY_FEATURE] - transformed[TARGET_FEATURE]


def scorable_threshold(model_directory: str, config: EvaluationConfig) -> float | None:
    """Checks that an earlier model takes this pipeline's examples.

    Returns:
        The model's own threshold; None for a model that only reconstructs.

    Raises:
        NotScorable: It does not; the message says why, on one line.
    """
    try:
        model = tf.saved_model.load(model_directory)
    except (OSError, tf.errors.OpError) as error:
        raise NotScorable(str(error).strip().splitlines()[0]) from error
    if SCORE_SIGNATURE not in model.signatures:
        raise NotScorable(f"it has no signature '{SCORE_SIGNATURE}'")
    # Compared here, since an eager call of a signature does not check shapes.
    _, inputs = model.signatures[SCORE_SIGNATURE].structured_input_signature
    for name in (config.feature, "noise"):
        if name not in inputs:
            raise NotScorable(f"it has no input '{name}'")
        if not inputs[name].shape.is_compatible_with([None, *config.shape]):
            raise NotScorable(
                f"its input '{name}' has the shape {tuple(inputs[name].shape[1:])}, "
                f"the examples have {config.shape}"
            )
    if not config.is_detector:
        return None
    threshold = getattr(model, "threshold", None)
    if threshold is None or not np.isfinite(threshold.numpy()):
        raise NotScorable("it has no threshold")
    return float(threshold.numpy())
