"""Training under a `tf.distribute` strategy.

Keras 3's `fit` does not run under MultiWorkerMirroredStrategy (it takes the mean of a batch that
TensorFlow has already cut). Under MirroredStrategy it does, but it shuffles once more than without
and weighs the parts of an uneven last batch alike. So this is the loop of `fit` on Keras' public
parts: the compiled loss, the optimizer, the callbacks. One replica and several see the same
batches, take the exact mean over each, and end with the same weights up to the rounding of sums.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from trainer.models import Autoencoder


def distributed_fit(
    strategy: tf.distribute.Strategy,
    model: Autoencoder,
    train: tf.data.Dataset,
    validation: tf.data.Dataset,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> dict[str, list[float]]:
    """Trains on all replicas of `strategy`.

    Args:
        strategy: All its processes must call this with the same arguments; only `callbacks` that
            neither change the model nor stop the training may differ.
        model: Made and compiled in the strategy's scope; is trained in place.
        train: Global batches of (given, target), once an epoch. Each replica takes its part.
        validation: The same, of the eval split.
        epochs: Passes over `train`.
        callbacks: Keras', called as `fit` calls them, but without the logs of a batch.

    Returns:
        `loss` and `val_loss`, one value for each epoch that was run: means over all examples.
    """
    steps = int(train.cardinality())
    history = keras.callbacks.History()
    everyone = keras.callbacks.CallbackList(
        [*callbacks, history],
        model=model,
        epochs=epochs,
        steps=steps if steps >= 0 else None,
        verbose=0,
    )
    with strategy.scope():
        # Its variables cannot be made in the branch of a graph where the first step is.
        model.optimizer.build(model.trainable_variables)
    training = _Pass(strategy, model, train, training=True)
    evaluation = _Pass(strategy, model, validation, training=False)
    model.stop_training = False
    everyone.on_train_begin()
    logs: dict[str, Any] = {}
    for epoch in range(epochs):
        everyone.on_epoch_begin(epoch)
        logs = {"loss": training.run(everyone), "val_loss": evaluation.run()}
        if steps >= 0:
            training.skip()
        everyone.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    everyone.on_train_end(logs)
    return history.history


class _Pass:
    """Passes over one split.

    Args:
        strategy: Of the model.
        model: Compiled.
        batches: The split's global batches.
        training: Whether the weights are changed.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        model: Autoencoder,
        batches: tf.data.Dataset,
        *,
        training: bool,
    ) -> None:
        self._strategy = strategy
        self._model = model
        self._training = training
        options = tf.data.Options()
        # By data, not by file: so each worker takes its part of every seeded global batch.
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.DATA
        )
        self._whole_batches = batches
        self._batches = strategy.experimental_distribute_dataset(
            batches.map(_with_size).with_options(options)
        )
        with strategy.scope():
            self._mean = keras.metrics.Mean()
        self._run_steps = tf.function(self._steps, reduce_retracing=True)

    def run(self, callbacks: keras.callbacks.CallbackList | None = None) -> float:
        """Goes through the split once and returns the mean loss of its examples."""
        self._mean.reset_state()
        iterator = iter(self._batches)
        at_a_time = self._model.steps_per_execution
        begin, done = 0, at_a_time
        while done == at_a_time:
            if callbacks:
                callbacks.on_train_batch_begin(begin)
            done = int(self._run_steps(iterator))
            begin += done
            if callbacks and done:
                callbacks.on_train_batch_end(begin - 1)
        return float(self._mean.result())

    def skip(self) -> None:
        """Draws an order that is not used.

        So does `fit` after an epoch whose length it knew beforehand, and each epoch is to see the
        same batches with and without a strategy.
        """
        iter(self._whole_batches)

    def _steps(self, iterator: Any) -> tf.Tensor:
        """Returns how many batches there were; fewer than asked for at the split's end."""
        step = tf.autograph.experimental.do_not_convert(self._step)
        done = 0
        for _ in tf.range(self._model.steps_per_execution):
            batch = iterator.get_next_as_optional()
            if not batch.has_value():
                break
            self._strategy.run(step, args=(batch.get_value(),))
            done += 1
        return done

    def _step(self, batch: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> None:
        """One replica's part of a step; a replica may get no example of a small last batch."""
        given, target, sizes = batch
        here = tf.cast(tf.shape(given)[0], tf.float32)
        given, target = _never_empty(given), _never_empty(target)
        everywhere = tf.reduce_max(tf.concat([sizes, [1.0]], axis=0))
        with tf.GradientTape() as tape:
            reconstruction = self._model(given, training=self._training)
            # Keras divides by the number of replicas, which is right for equal parts only.
            loss = self._strategy.num_replicas_in_sync * self._model.compute_loss(
                x=given, y=target, y_pred=reconstruction, training=self._training
            )
            part = loss * here / everywhere
        self._mean.update_state(loss, sample_weight=here)
        if self._training:
            weights = self._model.trainable_weights
            # The optimizer sums the replicas' gradients.
            self._model.optimizer.apply_gradients(
                zip(tape.gradient(part, weights), weights, strict=True)
            )


def _with_size(given: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Gives each example the size of its global batch, which a replica sees only a part of."""
    count = tf.shape(given)[:1]
    return given, target, tf.fill(count, tf.cast(count[0], tf.float32))


def _never_empty(examples: tf.Tensor) -> tf.Tensor:
    """One example of zeros instead of none, of weight 0: a convolution fails on an empty batch."""
    shape = tf.shape(examples)
    return tf.cond(
        shape[0] > 0, lambda: examples, lambda: tf.zeros(tf.concat([[1], shape[1:]], axis=0))
    )
