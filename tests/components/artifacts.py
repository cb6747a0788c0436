"""Artifacts below a folder, and raw examples in them, as the stages before would leave them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import Examples


class ArtifactFolder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._artifacts = 0

    def artifact(self, kind: type[Artifact]) -> Any:
        """Makes an empty artifact with the next id."""
        self._artifacts += 1
        artifact = kind()
        artifact.id = self._artifacts
        artifact.uri = str(self._folder / f"{kind.TYPE_NAME}-{artifact.id}")
        Path(artifact.uri).mkdir(parents=True)
        return artifact

    def examples(self, **shards_of_splits: Sequence[Iterable[bytes]]) -> Any:
        """Makes examples of the splits `train` and `eval`, with files for those that are given."""
        examples = self.artifact(Examples)
        examples.split_names = artifact_utils.encode_split_names(["train", "eval"])
        for split, shards in shards_of_splits.items():
            write_shards(examples, split, shards)
        return examples


def write_shards(examples: Artifact, split: str, shards: Sequence[Iterable[bytes]]) -> None:
    directory = Path(examples.uri, f"Split-{split}")
    directory.mkdir(parents=True)
    for number, records in enumerate(shards):
        path = directory / f"data_tfrecord-{number:05d}-of-{len(shards):05d}.gz"
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for record in records:
                writer.write(record)


def example(values: np.ndarray, label: int = 0, **texts: str) -> bytes:
    """A serialized tf.Example: `signal` of floats, or `image` of uint8, its label, and texts."""
    if values.dtype == np.uint8:
        raw = tf.train.Feature(bytes_list=tf.train.BytesList(value=[values.tobytes()]))
    else:
        raw = tf.train.Feature(float_list=tf.train.FloatList(value=values.ravel()))
    feature = {
        "image" if values.dtype == np.uint8 else "signal": raw,
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[int(label)])),
    }
    for name, text in texts.items():
        feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
    record: bytes = tf.train.Example(
        features=tf.train.Features(feature=feature)
    ).SerializeToString()
    return record
