"""What a pushed model takes: its signatures, and real examples as warm-up requests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2
from tfx.dsl.io import fileio
from tfx.utils import path_utils

from components.raw_examples import raw_values

SERVING_SIGNATURE = "serving_default"

Signatures = Mapping[str, meta_graph_pb2.SignatureDef]


def read_signatures(model_directory: str) -> Signatures:
    """Returns the signatures of a SavedModel by name, without loading the model."""
    with fileio.open(f"{model_directory}/saved_model.pb", "rb") as file:
        (graph,) = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs
    # TensorFlow's own, such as `__saved_model_init_op`, begin with underscores.
    return {name: of for name, of in graph.signature_def.items() if not name.startswith("__")}


def signatures_as_dict(signatures: Signatures) -> dict[str, dict[str, Any]]:
    """Returns JSON values: signature -> `inputs` and `outputs` -> name -> dtype and shape."""
    return {
        name: {"inputs": _tensors(of.inputs), "outputs": _tensors(of.outputs)}
        for name, of in signatures.items()
    }


def write_warmup_requests(
    model_directory: Path, model_name: str, signatures: Signatures, records: Sequence[bytes]
) -> None:
    """Writes TensorFlow Serving's warm-up file, one request an example.

    A server replays the requests before it calls a version available, so that no client pays for
    the first execution. See https://www.tensorflow.org/tfx/serving/saved_model_warmup.

    Args:
        model_directory: The SavedModel; the file goes to its `assets.extra/`.
        model_name: Name of the model at the server.
        signatures: Of the model; its `serving_default` takes one float32 tensor [N, *shape],
            named like the raw feature.
        records: Serialized raw tf.Examples.
    """
    ((name, tensor),) = signatures[SERVING_SIGNATURE].inputs.items()
    shape = [dimension.size for dimension in tensor.tensor_shape.dim[1:]]
    path = Path(path_utils.warmup_file_path(str(model_directory)))
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = model_name
            request.model_spec.signature_name = SERVING_SIGNATURE
            values = raw_values(record, name).reshape(1, *shape)
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
            writer.write(log.SerializeToString())


def _tensors(tensors: Mapping[str, meta_graph_pb2.TensorInfo]) -> dict[str, Any]:
    return {
        name: {
            "dtype": tf.as_dtype(tensor.dtype).name,
            "shape": tf.TensorShape(tensor.tensor_shape).as_list(),
        }
        for name, tensor in tensors.items()
    }
