"""What is pushed, held against TensorFlow Serving's own rules."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, SignatureDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from pipeline_config import PIPELINES
from tests.end_to_end.conftest import FinishedRun
from tests.end_to_end.finished_runs.signatures import OUTPUTS, RAW_INPUT

UNKNOWN_OPS = (
    "import json, sys\n"
    "import tensorflow\n"
    "from tensorflow.python.framework import op_def_registry\n"
    "names = json.load(sys.stdin)\n"
    "print(json.dumps([name for name in names if op_def_registry.get(name) is None]))\n"
)
"""In a process that has imported TensorFlow and nothing that would add operations to it."""

PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
"""Operations of TensorFlow that call into the Python process that made the graph."""

Tensors = dict[str, tuple[tf.DType, tuple[int | None, ...]]]


@pytest.fixture(scope="session")
def version(finished: FinishedRun) -> Path:
    return Path(str(finished.outcome.pushed))


@pytest.fixture(scope="session")
def graph(version: Path) -> MetaGraphDef:
    """The one graph that TensorFlow Serving finds by its default tag."""
    model = SavedModel.FromString((version / "saved_model.pb").read_bytes())
    (graph,) = (graph for graph in model.meta_graphs if set(graph.meta_info_def.tags) == {"serve"})
    return graph


def nodes(graph: MetaGraphDef) -> Iterator[NodeDef]:
    yield from graph.graph_def.node
    for function in graph.graph_def.library.function:
        yield from function.node_def


def tensors(signature: SignatureDef, side: str) -> Tensors:
    return {
        name: (
            tf.dtypes.as_dtype(info.dtype),
            tuple(None if dim.size == -1 else dim.size for dim in info.tensor_shape.dim),
        )
        for name, info in getattr(signature, side).items()
    }


def test_a_version_is_a_folder_named_by_an_int64(version: Path) -> None:
    number = int(version.name)

    assert version.is_dir()
    assert str(number) == version.name
    assert 0 <= number < 2**63


def test_nothing_else_in_the_folder_parses_as_a_version(version: Path) -> None:
    def parses(name: str) -> bool:
        try:
            return -(2**63) <= int(name) < 2**63
        except ValueError:
            return False

    assert [path.name for path in version.parent.iterdir() if parses(path.name)] == [version.name]


def test_the_signatures_are_as_promised(finished: FinishedRun, graph: MetaGraphDef) -> None:
    name, shape = RAW_INPUT[finished.outcome.pipeline]
    raw: Tensors = {name: (tf.float32, shape)}
    scores = OUTPUTS[finished.outcome.pipeline]

    for signature, inputs in {
        "serving_default": raw,
        "serve_examples": {"examples": (tf.string, (None,))},
    }.items():
        definition = graph.signature_def[signature]
        assert tensors(definition, "inputs") == inputs
        outputs = tensors(definition, "outputs")
        assert {name: dtype for name, (dtype, _) in outputs.items()} == scores
        of_values = scores.keys() & {"reconstruction", "contribution"}
        assert {outputs[name][1] for name in of_values} == {shape}
        assert {outputs[name][1] for name in scores.keys() - of_values} == {(None,)}
    encode = graph.signature_def["encode"]
    assert tensors(encode, "inputs") == raw
    ((latent, (dtype, latent_shape)),) = tensors(encode, "outputs").items()
    assert (latent, dtype, latent_shape[0]) == ("latent", tf.float32, None)


def test_each_signature_is_called_by_predict(graph: MetaGraphDef) -> None:
    methods = {
        name: signature.method_name
        for name, signature in graph.signature_def.items()
        if name != "__saved_model_init_op"
    }

    assert set(methods) >= {"serving_default", "serve_examples", "encode"}
    assert set(methods.values()) == {"tensorflow/serving/predict"}


def test_all_operations_are_in_tensorflow_itself(graph: MetaGraphDef) -> None:
    functions = {function.signature.name for function in graph.graph_def.library.function}
    used = {node.op for node in nodes(graph)} - functions
    result = subprocess.run(
        [sys.executable, "-I", "-c", UNKNOWN_OPS],
        input=json.dumps([*sorted(used), "AepipeNoSuchOp"]),
        capture_output=True,
        text=True,
    )

    assert result.returncode == 0, result.stderr
    # The made-up name shows that the registry was asked.
    assert json.loads(result.stdout) == ["AepipeNoSuchOp"]
    assert used & PYTHON_OPS == set()
    assert "MatMul" in used or "Conv2D" in used


def test_an_older_server_can_read_the_graph(graph: MetaGraphDef) -> None:
    # An attribute new to it is absent if it has its default.
    assert graph.meta_info_def.stripped_default_attrs


def test_the_warm_up_requests_can_be_replayed(
    finished: FinishedRun, version: Path, graph: MetaGraphDef
) -> None:
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    logs = [
        PredictionLog.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(path))
    ]

    assert 1 <= len(logs) <= 1000
    for log in logs:
        assert log.WhichOneof("log_type") == "predict_log"
        request: PredictRequest = log.predict_log.request
        assert request.model_spec.name == version.parent.name
        expected = tensors(graph.signature_def[request.model_spec.signature_name], "inputs")
        assert set(request.inputs) == set(expected)
        for name, (dtype, shape) in expected.items():
            value = tf.make_ndarray(request.inputs[name])
            assert value.dtype == dtype.as_numpy_dtype
            assert tf.TensorShape(shape).is_compatible_with(value.shape)


def test_models_config_names_what_was_pushed(finished: FinishedRun, version: Path) -> None:
    text = (finished.home / "serving" / "models.config").read_text(encoding="ascii")
    config = text_format.Parse(text, ModelServerConfig())

    (entry,) = config.model_config_list.config
    assert entry.name == PIPELINES[finished.outcome.pipeline].pusher.model_name
    assert entry.base_path == f"/models/{entry.name}"
    assert entry.model_platform == "tensorflow"
    assert entry.model_version_policy.latest.num_versions == 1
    assert version.parent == finished.home / "serving" / Path(entry.base_path).name
