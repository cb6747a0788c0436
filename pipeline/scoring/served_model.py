"""A pushed version, called as a server calls it."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pipeline_config import UserInputError

SERVING_SIGNATURE = "serving_default"

ERROR = "error"
THRESHOLD = "threshold"
IS_ANOMALY = "is_anomaly"
RECONSTRUCTION = "reconstruction"

Outputs = Mapping[str, npt.NDArray[np.generic]]
"""By output's name: [n, ...]; float32, but bool for `is_anomaly`."""


class ServedModel:
    """A loaded SavedModel behind its signature `serving_default`.

    Attributes:
        shape: Shape of one example, as the signature takes it.
        is_detector: Whether it decides with a threshold.

    Args:
        directory: The version's folder.

    Raises:
        UserInputError: There is no SavedModel, or none of the autoencoders' signature.
    """

    def __init__(self, directory: str) -> None:
        try:
            # Kept: a signature holds its model's variables by weak reference only.
            self._model = tf.saved_model.load(directory)
        except (OSError, tf.errors.OpError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserInputError(f"{directory}: no model can be loaded: {reason}") from error
        self._signature = self._model.signatures.get(SERVING_SIGNATURE)
        if self._signature is None or ERROR not in self._signature.structured_outputs:
            raise UserInputError(
                f"{directory}: its signature '{SERVING_SIGNATURE}' gives no '{ERROR}': "
                "name an autoencoder that aepipe pushed"
            )
        ((self._input, spec),) = self._signature.structured_input_signature[1].items()
        self.shape = tuple(spec.shape[1:])
        self.is_detector = IS_ANOMALY in self._signature.structured_outputs

    def score(self, values: npt.NDArray[np.float32]) -> Outputs:
        """Returns the signature's outputs.

        Args:
            values: float32 [n, *shape].
        """
        outputs = self._signature(**{self._input: tf.constant(values)})
        return {name: output.numpy() for name, output in outputs.items()}
