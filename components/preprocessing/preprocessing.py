"""What Transform does to every example: scaling, and noise if the pipeline asks for it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.example_noise import standard_normal_per_example
from pipeline_config import (
    ID_FEATURE,
    LABEL_FEATURE,
    NOISY_FEATURE,
    RAW_VALUES,
    TARGET_FEATURE,
    SignalData,
)


def preprocessing_fn(
    inputs: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]
) -> dict[str, tf.Tensor]:
    """Scales examples to [0, 1] and, for a denoising model, adds noise to a copy.

    Args:
        inputs: Batch of N raw examples: `signal` float32 [N, L] (L * C of C channels, sample by
            sample) or `image` string [N, 1] (one uint8 a pixel, row by row), with `label` int64
            [N, 1] and `example_id` string [N, 1].
        custom_config: `feature` ("signal" or "image"), `shape` (of one example), `scale` ("all" or
            "channel", the range that is scaled by), `noise` (standard deviation, in units of the
            scaled range; 0 for none), `noise_seed`. Other keys are ignored: `fingerprint` is there
            to make TFX see a change of this file.

    Returns:
        `target` float32 [N, *shape], `label` int64 [N], `example_id` string [N] and, only if
        `noise` is above 0, `noisy` float32 [N, *shape], clipped to [0, 1].
    """
    shape = tuple(custom_config["shape"])
    feature = custom_config["feature"]
    values = decode(inputs[feature], shape)
    if custom_config["scale"] == "channel" and feature == SignalData.feature and len(shape) > 1:
        target = scale_by_channel_range(values)
    else:
        target = scale_by_training_range(values)
    example_id = inputs[ID_FEATURE][:, 0]
    outputs = {
        TARGET_FEATURE: target,
        LABEL_FEATURE: inputs[LABEL_FEATURE][:, 0],
        ID_FEATURE: example_id,
    }
    if custom_config["noise"] > 0:
        noise = custom_config["noise"] * standard_normal_per_example(
            example_id, shape, custom_config["noise_seed"]
        )
        outputs[NOISY_FEATURE] = tf.clip_by_value(target + noise, 0.0, 1.0)
    return outputs


def decode(raw: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Turns a raw feature into numbers in its own units.

    Args:
        raw: float32 [N, L * C], or string [N, 1] with one uint8 a value.
        shape: Shape of one example.

    Returns:
        float32 [N, *shape]; bytes become 0.0 to 255.0.
    """
    if raw.dtype == tf.string:
        raw = tf.io.decode_raw(raw[:, 0], tf.uint8, fixed_length=math.prod(shape))
    values = tf.reshape(tf.cast(raw, tf.float32), [-1, *shape])
    return tf.identity(values, name=RAW_VALUES)


def scale_by_training_range(values: tf.Tensor) -> tf.Tensor:
    """Scales by the least and greatest value of the whole training split.

    The formula is the tutorial's, (x - min) / (max - min), over the whole tensor rather than per
    column. It is not clipped: a value outside the training range stays visible as one.

    Args:
        values: float32 [N, ...].

    Returns:
        float32 of the same shape. If all training values are one constant the divisor is 1,
        so that the constant becomes 0.0 and the scaling can still be undone.
    """
    return _scaled(values, tft.min(values), tft.max(values))


def scale_by_channel_range(values: tf.Tensor) -> tf.Tensor:
    """Scales each channel by its own least and greatest value in the training split.

    Otherwise it does what `scale_by_training_range` does, to each channel.

    Args:
        values: float32 [N, L, C].

    Returns:
        float32 [N, L, C].
    """
    samples = tf.reshape(values, [-1, values.shape[-1]])
    lowest = tft.min(samples, reduce_instance_dims=False)
    return _scaled(values, lowest, tft.max(samples, reduce_instance_dims=False))


def _scaled(values: tf.Tensor, lowest: tf.Tensor, greatest: tf.Tensor) -> tf.Tensor:
    value_range = greatest - lowest
    return (values - lowest) / tf.where(value_range > 0, value_range, 1.0)
