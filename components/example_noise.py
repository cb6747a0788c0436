"""The noise of a denoising pipeline: it belongs to an example, whoever draws it."""

from collections.abc import Sequence

import tensorflow as tf


def standard_normal_per_example(
    example_id: tf.Tensor, shape: Sequence[int], seed: int
) -> tf.Tensor:
    """Draws N(0, 1) numbers that depend on the seed and the example's id alone.

    Args:
        example_id: string [N].
        shape: Shape of one example.
        seed: Any integer that fits an int64.

    Returns:
        float32 [N, *shape]; the same for an id in every batch, order and runner.
    """
    # FarmHash's 64 bits are promised to stay the same across TensorFlow's versions and machines.
    own_seed = tf.strings.to_hash_bucket_fast(example_id, tf.int64.max)

    def draw(example_seed: tf.Tensor) -> tf.Tensor:
        # The algorithm is named because the default may depend on the device.
        return tf.random.stateless_normal(
            shape, tf.stack([tf.constant(seed, tf.int64), example_seed]), alg="philox"
        )

    return tf.map_fn(draw, own_seed, fn_output_signature=tf.TensorSpec(shape, tf.float32))
