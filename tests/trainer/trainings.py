"""Small data through the real Transform code, a training on it as TFX calls it, and its result."""

import dataclasses
import functools
import json
import math
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils
from tfx_bsl.public import tfxio

from components.preprocessing.preprocessing import preprocessing_fn
from pipeline_config import TrainerConfig, section_as_dict
from trainer.train import run_fn


@dataclasses.dataclass(frozen=True)
class Transformed:
    """What Transform leaves on disk, and what it was given."""

    folder: Path
    feature: str
    shape: tuple[int, ...]
    raw: np.ndarray
    """Eval split in its own units, float32 [N, *shape]."""
    examples: list[bytes]
    """Eval split, serialized, in the same order."""

    @property
    def output(self) -> tft.TFTransformOutput:
        return tft.TFTransformOutput(str(self.folder / "graph"))

    def files(self, split: str) -> list[str]:
        return [str(self.folder / f"Split-{split}" / "*")]

    def tensors(self, split: str) -> dict[str, np.ndarray]:
        files = sorted(tf.io.gfile.glob(self.files(split)))
        records = list(tf.data.TFRecordDataset(files, compression_type="GZIP"))
        parsed = tf.io.parse_example(records, self.output.transformed_feature_spec())
        order = np.argsort(parsed["example_id"].numpy())
        return {name: tensor.numpy()[order] for name, tensor in parsed.items()}


def _serialized(feature: str, values: np.ndarray, label: int, name: str) -> bytes:
    example = tf.train.Example()
    features = example.features.feature
    if feature == "signal":
        features[feature].float_list.value.extend(values.ravel())
    else:
        features[feature].bytes_list.value.append(values.tobytes())
    features["label"].int64_list.value.append(label)
    features["example_id"].bytes_list.value.append(name.encode())
    return example.SerializeToString()


def transform(
    folder: Path,
    feature: str,
    train: np.ndarray,
    evaluation: np.ndarray,
    noise: float,
    scale: str = "all",
) -> Transformed:
    shape = train.shape[1:]
    raw = (
        tf.io.FixedLenFeature([math.prod(shape)], tf.float32)
        if feature == "signal"
        else tf.io.FixedLenFeature([1], tf.string)
    )
    schema = schema_utils.schema_from_feature_spec(
        {
            feature: raw,
            "label": tf.io.FixedLenFeature([1], tf.int64),
            "example_id": tf.io.FixedLenFeature([1], tf.string),
        }
    )
    config = {
        "feature": feature,
        "shape": list(shape),
        "scale": scale,
        "noise": noise,
        "noise_seed": 0,
    }
    source = tfxio.TFExampleBeamRecord(physical_format="inmem", schema=schema)
    splits = {
        split: [
            _serialized(feature, values, i % 3 and 1, f"{(i * 7919) % 9973:04}")
            for i, values in enumerate(arrays)
        ]
        for split, arrays in (("train", train), ("eval", evaluation))
    }
    with (
        beam.Pipeline(argv=["--runner=FnApiRunner"]) as pipeline,
        tft_beam.Context(temp_dir=str(folder / "temp")),
    ):
        raw_data = {
            split: (
                pipeline
                | f"Create {split}" >> beam.Create(records)
                | f"Parse {split}" >> source.BeamSource(),
                source.TensorAdapterConfig(),
            )
            for split, records in splits.items()
        }
        graph = raw_data["train"] | tft_beam.AnalyzeDataset(
            functools.partial(preprocessing_fn, custom_config=config)
        )
        _ = graph | tft_beam.WriteTransformFn(str(folder / "graph"))
        for split, data in raw_data.items():
            batches, metadata = (data, graph) | f"Transform {split}" >> tft_beam.TransformDataset(
                output_record_batches=True
            )
            encoder = tfxio.RecordBatchToExamplesEncoder(_schema(metadata))
            _ = (
                batches
                | f"Encode {split}" >> beam.FlatMap(functools.partial(_encode, encoder))
                | f"Write {split}"
                >> beam.io.WriteToTFRecord(
                    str(folder / f"Split-{split}" / "part"), file_name_suffix=".gz", num_shards=3
                )
            )
    return Transformed(folder, feature, shape, evaluation.astype(np.float32), splits["eval"])


def _schema(metadata: dataset_metadata.DatasetMetadata) -> Any:
    return metadata.schema


def _encode(encoder: Any, batch: Any) -> Sequence[bytes]:
    return encoder.encode(batch[0])


def settings_of(
    data: Transformed, model: str, loss: str, detector: bool = False, **trainer: Any
) -> dict[str, Any]:
    return {
        "name": "test",
        "model": model,
        "loss": loss,
        "detector": detector,
        "feature": data.feature,
        "shape": list(data.shape),
        "trainer": section_as_dict(TrainerConfig(**trainer)),
    }


def arguments(
    folder: Path,
    data: Transformed,
    model: str,
    loss: str,
    *,
    detector: bool = False,
    base_model: Path | None = None,
    **trainer: Any,
) -> dict[str, Any]:
    """What TFX gives to `run_fn`, for a training into `model/` and `run/` of the folder."""
    (folder / "run").mkdir(parents=True)
    return {
        "custom_config": {
            "config": settings_of(data, model, loss, detector, **trainer),
            "fingerprint": "f",
        },
        "transform_graph_path": str(data.folder / "graph"),
        "train_files": data.files("train"),
        "eval_files": data.files("eval"),
        "base_model": str(base_model) if base_model else None,
        "model_run_dir": str(folder / "run"),
        "serving_model_dir": str(folder / "model"),
    }


def train_in(folder: Path, data: Transformed, model: str, loss: str, **options: Any) -> Path:
    """Calls `run_fn` as TFX does and returns the folder; options as of `arguments`."""
    run_fn(types.SimpleNamespace(**arguments(folder, data, model, loss, **options)))
    return folder


def history(folder: Path) -> dict[str, list[float]]:
    read: dict[str, list[float]] = json.loads((folder / "run" / "history.json").read_text())
    return read


def weights(folder: Path) -> list[np.ndarray]:
    model = tf.saved_model.load(str(folder / "model"))
    return [variable.numpy() for variable in model.model_variables]


def assert_close(one: Path, other: Path) -> None:
    """Compares losses epoch by epoch, and weights in units of their tensor's largest.

    The sums of several replicas are rounded otherwise than that of one, and Adam makes more of it
    with every step: after 14 epochs, losses differed by 5e-7 and weights by 6e-6.
    """
    expected, found = history(one), history(other)
    assert expected.keys() == found.keys()
    for name, losses in expected.items():
        np.testing.assert_allclose(found[name], losses, rtol=1e-5)
    for left, right in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(right, left, rtol=0, atol=1e-4 * np.abs(left).max())
