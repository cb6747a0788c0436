"""The Transform stage's own graph, cut down to what serving needs.

TFT's loaders call the whole graph, and so carry the noise of the denoising pipeline into the
served model. Here the nodes between two tensors are copied instead, and nothing else: the same
operations and the same constants as in training, without the noise.
"""

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from pipeline_config import RAW_VALUES, TARGET_FEATURE

_PROBE = 2.0**20
"""Far from the data's origin, so that rounding there does not show in the slope."""


class PreprocessingGraph:
    """Decodes and scales exactly as the Transform stage did.

    Attributes:
        raw_spec: How to parse the raw feature from a tf.Example.

    Args:
        tft_output: What Transform wrote.
        feature: Name of the raw feature.
    """

    def __init__(self, tft_output: tft.TFTransformOutput, feature: str) -> None:
        self._function = tf.saved_model.load(tft_output.transform_savedmodel_dir).transform_fn
        raw = _input(self._function, feature)
        self._raw = raw.name
        self.raw_spec = {feature: tf.io.FixedLenFeature(raw.shape[1:], raw.dtype)}
        self._target = _output_name(self._function, TARGET_FEATURE)
        # Scaling is one straight line for all values of a channel, so two points of it give the
        # inverse: the analyzers' values are constants inside the graph, under names of TFT's own
        # making.
        shape = self._function.graph.get_tensor_by_name(f"{RAW_VALUES}:0").shape[1:]
        points = tf.stack([tf.zeros(shape), tf.fill(shape, _PROBE)])
        # A signal's channels follow its samples, of which the first will do; one channel has none.
        at_zero, at_probe = self.scale(points).numpy()[:, 0].astype(np.float64)
        self._at_zero = at_zero.astype(np.float32)
        self._slope = ((at_probe - at_zero) / _PROBE).astype(np.float32)

    @tf.function(autograph=False, reduce_retracing=True)
    def decode(self, raw: tf.Tensor) -> tf.Tensor:
        """Decodes a raw feature.

        Args:
            raw: As in the raw schema: float32 [N, L * C], or string [N, 1] with one uint8 a pixel.

        Returns:
            float32 [N, *shape], in the data's own units.
        """
        return _copy_nodes(self._function, raw, self._raw, f"{RAW_VALUES}:0")

    @tf.function(autograph=False, reduce_retracing=True)
    def scale(self, values: tf.Tensor) -> tf.Tensor:
        """Scales numbers by the training split's range, or by each channel's.

        Args:
            values: float32 [N, *shape], in the data's own units; fractions of a pixel's 256
                levels are kept.

        Returns:
            float32 [N, *shape]; [0, 1] within the training range.
        """
        return _copy_nodes(self._function, values, f"{RAW_VALUES}:0", self._target)

    def unscale(self, scaled: tf.Tensor) -> tf.Tensor:
        """Undoes `scale` of a signal.

        Args:
            scaled: float32 [N, *shape].

        Returns:
            float32 [N, *shape], in the data's own units.
        """
        return (scaled - self._at_zero) / self._slope


def _input(function: tf.types.experimental.ConcreteFunction, feature: str) -> tf.Tensor:
    (inputs,), _ = function.structured_input_signature
    # A function's arguments are flattened in the order of their keys.
    return function.inputs[sorted(inputs).index(feature)]


def _output_name(function: tf.types.experimental.ConcreteFunction, feature: str) -> str:
    outputs = tf.nest.pack_sequence_as(function.graph.structured_outputs, function.outputs)
    return outputs[feature].name


def _copy_nodes(
    function: tf.types.experimental.ConcreteFunction, given: tf.Tensor, source: str, sink: str
) -> tf.Tensor:
    """Copies the nodes after `source` up to `sink` into the current graph.

    Args:
        function: Where the nodes are.
        given: What takes the place of `source`.
        source: Name of a tensor.
        sink: Name of a tensor computed from `source` and constants.

    Returns:
        `sink`, computed from `given`.
    """
    graph = function.graph
    constants = {
        placeholder.name: value.numpy()
        for placeholder, value in zip(
            graph.internal_captures, function.captured_inputs, strict=True
        )
    }
    wanted = _operations_between(graph.get_tensor_by_name(sink), {source, *constants})
    graph_def = graph.as_graph_def()
    nodes = [node for node in graph_def.node if node.name in wanted]
    del graph_def.node[:]
    graph_def.node.extend(nodes)
    # The library holds the body of the loop that draws the noise. Decoding and scaling call no
    # function, and if they ever do the import fails rather than serving something else.
    graph_def.ClearField("library")
    inputs = {
        name: tf.constant(value)
        for name, value in constants.items()
        if any(name.removesuffix(":0") in node.input for node in nodes)
    }
    (result,) = tf.graph_util.import_graph_def(
        graph_def, input_map={source: given, **inputs}, return_elements=[sink], name="preprocessing"
    )
    return result


def _operations_between(sink: tf.Tensor, sources: set[str]) -> set[str]:
    wanted: set[str] = set()
    pending = [sink]
    while pending:
        tensor = pending.pop()
        if tensor.name not in sources and tensor.op.name not in wanted:
            wanted.add(tensor.op.name)
            pending.extend(tensor.op.inputs)
    return wanted
