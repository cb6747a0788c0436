"""The mean of a batch's errors without the worst: training that bears a few anomalies."""

from typing import Any

import keras


class TrimmedMean(keras.losses.Loss):
    """The mean of the least errors of a batch, on several devices a device's part of it.

    A reconstruction that is trained on unlabelled anomalies learns them last, as they are few and
    unlike each other: leaving the worst reconstructed examples of each batch out of its gradient
    leaves most of them out. Least trimmed squares (Rousseeuw 1984) does so for regression, and
    Shen and Sanghavi (2019), "Learning with Bad Training Data via Iterative Trimmed Loss
    Minimization", for networks.

    Args:
        trim: Share of each batch that is left out, 0 to below 1; at least one example stays.
    """

    def __init__(self, trim: float) -> None:
        super().__init__(name="trimmed_mean")
        self._trim = trim

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the least errors.

        Args:
            y_true: Not read; Keras asks for it.
            y_pred: Errors, float32 [N].
        """
        if not self._trim:
            return y_pred
        count = keras.ops.cast(keras.ops.shape(y_pred)[0], "float32")
        kept = keras.ops.maximum(keras.ops.ceil(count * (1.0 - self._trim)), 1.0)
        return keras.ops.sort(y_pred)[: keras.ops.cast(kept, "int32")]
