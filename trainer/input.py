"""Batches for training and validation, from what Transform wrote.

TFX's shards come in an order that may differ from run to run, and so would a shuffle of them.
Examples are therefore put in the order of their `example_id`, a digest of their content, before
they are shuffled with the seed: two runs see the same batches. (Two examples with one id are
equal, so their order does not matter.)
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Literal

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from absl import logging

from pipeline_config import ID_FEATURE, LABEL_FEATURE, NOISY_FEATURE, TARGET_FEATURE

MAX_IN_MEMORY_BYTES = 2**30
"""A split whose decoded tensors are larger is read from disk again in every epoch."""

VALIDATION_BATCH_SIZE = 512
"""The mean loss does not depend on it; batches as small as in training only cost time."""

Part = Literal["all", "kept", "held_out"]
"""A whole split, nine tenths of it, or the tenth that these leave out."""

_PARTS = 10
_PART_KEY = (0x6165, 0x7069)
"""Makes the hash another one than those by which examples are split before."""

_DECODED_AT_A_TIME = 1024
_SHUFFLED_FROM_DISK = 16_384


@dataclasses.dataclass(frozen=True)
class SplitReader:
    """Reads one split of Transform's output.

    Attributes:
        patterns: File patterns of the split, GZIP-compressed TFRecords.
        tft_output: Transform's output, with the features.
        labels: Labels of the examples that are read; None for all.
        max_in_memory_bytes: Up to which size a split is held decoded.
        part: Which of the examples, by a hash of their `example_id`: the same ones whatever the
            order of the files.
    """

    patterns: Sequence[str]
    tft_output: tft.TFTransformOutput
    labels: tuple[int, ...] | None = None
    max_in_memory_bytes: int = MAX_IN_MEMORY_BYTES
    part: Part = "all"

    @functools.cached_property
    def kept(self) -> "SplitReader":
        """The reader of nine tenths of the examples; decoded once, as `held_out` is."""
        return dataclasses.replace(self, part="kept")

    @functools.cached_property
    def held_out(self) -> "SplitReader":
        """The reader of the tenth that `kept` leaves out."""
        return dataclasses.replace(self, part="held_out")

    def batches(
        self, batch_size: int, shuffle_seed: int | None = None, *, replicas: int = 1
    ) -> tf.data.Dataset:
        """Returns batches of (what the model is given, what it is to return).

        Args:
            batch_size: Examples a batch; the last one may be smaller.
            shuffle_seed: Shuffles anew in each epoch; None keeps the order.
            replicas: Each batch is a multiple of it, and up to `replicas - 1` examples are left
                out. `batch_size` must be one too.

        Returns:
            Dataset of pairs of float32 [n, *shape], read once an epoch. If Transform made
            `noisy` examples those are the first of the pair, else it is the target twice. A
            split within `max_in_memory_bytes` is decoded at the first call, and its batches depend
            only on its content and the seed. A larger one is shuffled in a window of 16,384
            examples, so that its batches also depend on how the files are cut.

        Raises:
            ValueError: The split has no example to read.
        """
        tensors = self._in_memory
        if tensors is None:
            logging.info("%s: too large for memory, read anew in each epoch", self.patterns)
            batches = self._stream(batch_size, shuffle_seed, replicas)
        else:
            batches = _gather(tensors, batch_size, shuffle_seed, replicas)
        return batches.prefetch(tf.data.AUTOTUNE)

    @property
    def _given(self) -> str:
        spec = self.tft_output.transformed_feature_spec()
        return NOISY_FEATURE if NOISY_FEATURE in spec else TARGET_FEATURE

    @functools.cached_property
    def _in_memory(self) -> dict[str, tf.Tensor] | None:
        """The split's tensors, in the order of the files; None if they are too many."""
        chunks: list[dict[str, tf.Tensor]] = []
        held = 0
        for chunk in self._decode(self._records()):
            held += sum(4 * int(tf.size(chunk[name])) for name in {self._given, TARGET_FEATURE})
            if held > self.max_in_memory_bytes:
                return None
            chunks.append(chunk)
        if not any(len(chunk[ID_FEATURE]) for chunk in chunks):
            labelled = "" if self.labels is None else f" with a label of {self.labels}"
            part = "" if self.part == "all" else f" in the part {self.part}"
            raise ValueError(f"{', '.join(self.patterns)}: no example{labelled}{part}")
        # One feature after the other, its chunks freed as it is joined: never all of it twice.
        return {
            name: tf.concat([chunk.pop(name) for chunk in chunks], axis=0)
            for name in list(chunks[0])
        }

    def _stream(self, batch_size: int, shuffle_seed: int | None, replicas: int) -> tf.data.Dataset:
        records = self._records()
        if shuffle_seed is not None:
            records = records.shuffle(_SHUFFLED_FROM_DISK, seed=shuffle_seed)
        pairs = self._decode(records).map(lambda batch: (batch[self._given], batch[TARGET_FEATURE]))
        return pairs.rebatch(batch_size, drop_remainder=replicas > 1)

    def _records(self) -> tf.data.Dataset:
        files = sorted(file for pattern in self.patterns for file in tf.io.gfile.glob(pattern))
        return tf.data.TFRecordDataset(files, compression_type="GZIP")

    def _decode(self, records: tf.data.Dataset) -> tf.data.Dataset:
        spec = self.tft_output.transformed_feature_spec()
        wanted = {
            name: spec[name] for name in {self._given, TARGET_FEATURE, LABEL_FEATURE, ID_FEATURE}
        }

        def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
            batch = tf.io.parse_example(serialized, wanted)
            label = batch.pop(LABEL_FEATURE)
            if self.labels is not None:
                is_wanted = tf.reduce_any(label[..., None] == self.labels, axis=-1)
                batch = _where(is_wanted, batch)
            if self.part != "all":
                bucket = tf.strings.to_hash_bucket_strong(batch[ID_FEATURE], _PARTS, _PART_KEY)
                batch = _where((bucket == 0) == (self.part == "held_out"), batch)
            return batch

        return records.batch(_DECODED_AT_A_TIME).map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def _where(mask: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {name: tf.boolean_mask(tensor, mask) for name, tensor in batch.items()}


def _gather(
    tensors: dict[str, tf.Tensor], batch_size: int, shuffle_seed: int | None, replicas: int
) -> tf.data.Dataset:
    # The tensors stay as they were decoded: an order of row numbers is cheaper than a sorted copy.
    in_id_order = np.argsort(np.array(tensors[ID_FEATURE].numpy(), dtype=bytes), kind="stable")
    in_id_order = in_id_order[: len(in_id_order) // replicas * replicas]
    target = tensors[TARGET_FEATURE]
    noisy = tensors.get(NOISY_FEATURE)

    def take(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        clean = tf.gather(target, rows)
        return (clean if noisy is None else tf.gather(noisy, rows), clean)

    rows = tf.data.Dataset.from_tensor_slices(in_id_order)
    if shuffle_seed is not None:
        rows = rows.shuffle(len(in_id_order), seed=shuffle_seed)
    return rows.batch(batch_size).map(take, num_parallel_calls=tf.data.AUTOTUNE)
