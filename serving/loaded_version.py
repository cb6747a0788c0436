"""One version of a model in memory."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from serving.errors import InvalidRequestError
from serving.tensors import STRING, Arrays, TensorSpec

SERVING_DEFAULT = "serving_default"
SERVE_TAG = "serve"
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Signature:
    """A signature of a SavedModel.

    Attributes:
        name: Its name, as in a request.
        inputs: Name of an input -> its type and shape.
        outputs: Name of an output -> its type and shape.
        function: Takes and returns tensors by name.
    """

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    function: Any

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Computes the outputs of checked inputs.

        Raises:
            tf.errors.InvalidArgumentError: The model cannot parse a string.
        """
        tensors = {
            name: tf.constant(array, tf.string if array.dtype == STRING else None)
            for name, array in inputs.items()
        }
        outputs = self.function(**tensors)
        return {name: outputs[name].numpy() for name in self.outputs}


class LoadedVersion:
    """A SavedModel that is loaded and warmed up.

    Attributes:
        number: The version.
        signatures: Its signatures by name.
        signature_defs: The SavedModel's own messages of them, for metadata.

    Args:
        model: Name of the model.
        number: The version.
        directory: The SavedModel.

    Raises:
        Exception: TensorFlow raises many classes for a SavedModel that cannot be loaded.
    """

    def __init__(self, model: str, number: int, directory: Path) -> None:
        self.model = model
        self.number = number
        self.signature_defs = _signature_defs(directory)
        # The functions of the signatures do not keep the object with their weights alive.
        self._saved_model = tf.saved_model.load(str(directory), tags=[SERVE_TAG])
        self.signatures = {
            name: _signature(name, function)
            for name, function in self._saved_model.signatures.items()
        }
        if SERVING_DEFAULT not in self.signatures:
            raise ValueError(f"{directory}: no signature {SERVING_DEFAULT}")
        self._warm_up(directory / WARMUP_FILE)

    def signature(self, name: str | None) -> Signature:
        """Returns a signature by name, the default one for None.

        Raises:
            InvalidRequestError: There is no such signature.
        """
        found = self.signatures.get(name or SERVING_DEFAULT)
        if found is None:
            raise InvalidRequestError(
                f"model {self.model} has no signature {name!r}; it has "
                f"{', '.join(sorted(self.signatures))}"
            )
        return found

    def _warm_up(self, requests: Path) -> None:
        """Runs the warm-up requests of the version, in batches of several sizes.

        The first execution of a function is many times slower than the next ones. See https://www.tensorflow.org/tfx/serving/saved_model_warmup.
        """
        if not requests.exists():
            _LOG.warning("%s: no warm-up requests, so the first request is slow", requests)
            return
        for record in tf.data.TFRecordDataset(str(requests)).as_numpy_iterator():
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            signature = self.signature(request.model_spec.signature_name)
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            for repeats in (1, 8, 64):
                signature.run({name: np.repeat(a, repeats, axis=0) for name, a in inputs.items()})


def _signature_defs(directory: Path) -> Mapping[str, meta_graph_pb2.SignatureDef]:
    path = directory / "saved_model.pb"
    if not path.exists():
        raise FileNotFoundError(f"{directory}: no saved_model.pb; is it still being copied?")
    saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in saved_model.meta_graphs:
        if SERVE_TAG in graph.meta_info_def.tags:
            return graph.signature_def
    raise ValueError(f"{path}: no graph with the tag {SERVE_TAG!r}")


def _signature(name: str, function: Any) -> Signature:
    _, inputs = function.structured_input_signature
    return Signature(
        name=name,
        inputs={key: _spec(key, spec) for key, spec in inputs.items()},
        outputs={
            key: _spec(key, spec) for key, spec in sorted(function.structured_outputs.items())
        },
        function=function,
    )


def _spec(name: str, spec: tf.TensorSpec) -> TensorSpec:
    dtype = STRING if spec.dtype == tf.string else np.dtype(spec.dtype.as_numpy_dtype)
    return TensorSpec(name=name, dtype=dtype, shape=tuple(spec.shape.as_list()))
