"""What a pushed model takes: its signatures, and real examples as inputs and warm-up requests."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.utils import io_utils, path_utils

SERVING_SIGNATURE = "serving_default"


def read_serving_inputs(
    model: Any, examples: list[Artifact] | None, count: int
) -> dict[str, np.ndarray]:
    """Reads the first examples of the eval split as the model's raw input.

    Args:
        model: A loaded SavedModel whose `serving_default` takes one float32 tensor [N, *shape],
            named like the raw feature: a float list, or the uint8 bytes of an image.
        examples: Raw examples with the split `eval`; None for a single input of zeros.
        count: How many; fewer where the split holds fewer.

    Returns:
        The input's name -> float32 [count, *shape].
    """
    _, specs = model.signatures[SERVING_SIGNATURE].structured_input_signature
    ((name, spec),) = specs.items()
    shape = tuple(spec.shape[1:])
    values = (
        []
        if examples is None
        else [_raw_value(record, name).reshape(shape) for record in _read_records(examples, count)]
    )
    return {name: np.stack(values or [np.zeros(shape)]).astype(np.float32)}


def write_warmup_requests(
    model_directory: Path, model_name: str, inputs: dict[str, np.ndarray]
) -> None:
    """Writes TensorFlow Serving's warm-up file, one request an example.

    A server replays the requests before it calls a version available, so that no client pays for
    the first execution. See https://www.tensorflow.org/tfx/serving/saved_model_warmup.

    Args:
        model_directory: The SavedModel; the file goes to its `assets.extra/`.
        model_name: Name of the model at the server.
        inputs: Inputs of `serving_default`, by name: [N, ...] each.
    """
    path = Path(path_utils.warmup_file_path(str(model_directory)))
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(len(next(iter(inputs.values())))):
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = model_name
            request.model_spec.signature_name = SERVING_SIGNATURE
            for name, value in inputs.items():
                row = tf.make_tensor_proto(value[number : number + 1])
                request.inputs[name].CopyFrom(row)
            writer.write(log.SerializeToString())


def read_signatures(model: Any) -> dict[str, dict[str, Any]]:
    """Returns the signatures of a loaded SavedModel as JSON values: dtypes and shapes by name."""
    return {
        name: {
            "inputs": _tensors(signature.structured_input_signature[1]),
            "outputs": _tensors(signature.structured_outputs),
        }
        for name, signature in model.signatures.items()
    }


def _tensors(specs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
        for name, spec in specs.items()
    }


def _read_records(examples: list[Artifact], count: int) -> Iterator[bytes]:
    for uri in artifact_utils.get_split_uris(examples, "eval"):
        for path in sorted(fileio.glob(io_utils.all_files_pattern(uri))):
            compression = "GZIP" if path.endswith(".gz") else ""
            for record in tf.data.TFRecordDataset(path, compression).take(count):
                if count == 0:
                    return
                yield record.numpy()
                count -= 1


def _raw_value(record: bytes, name: str) -> np.ndarray:
    feature = tf.train.Example.FromString(record).features.feature[name]
    if feature.WhichOneof("kind") == "bytes_list":
        return np.frombuffer(feature.bytes_list.value[0], np.uint8)
    return np.array(feature.float_list.value, np.float32)
