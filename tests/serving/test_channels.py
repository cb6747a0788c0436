"""A model of signals with several channels, served: [N, L, C] in and out by every protocol."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from kserve import InferInput, InferRequest
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from components.versioned_pusher.warmup import read_signatures, write_warmup_requests
from tests.components.artifacts import example
from tests.serving.conftest import RunningServer, eventually
from tests.serving.test_open_inference import over_grpc, over_rest

SHAPE = (16, 3)
MODEL = "channels"


class ChannelDetector(tf.Module):
    """Reconstructs a signal as its own half; examples hold it flat, sample by sample."""

    def _serve(self, signal: tf.Tensor) -> dict[str, tf.Tensor]:
        error = tf.reduce_mean(tf.abs(signal) / 2, axis=[1, 2])
        return {
            "reconstruction": signal / 2,
            "error": error,
            "threshold": tf.fill(tf.shape(error), 0.4),
            "is_anomaly": error > 0.4,
        }

    def save(self, directory: Path) -> None:
        raw = tf.TensorSpec([None, *SHAPE], tf.float32, name="signal")
        serialized = tf.TensorSpec([None], tf.string, name="examples")

        def serve_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
            spec = {"signal": tf.io.FixedLenFeature([48], tf.float32)}
            flat = tf.io.parse_example(examples, spec)["signal"]
            return self._serve(tf.reshape(flat, [-1, *SHAPE]))

        signatures = {
            "serving_default": tf.function(self._serve, input_signature=[raw]),
            "serve_examples": tf.function(serve_examples, input_signature=[serialized]),
        }
        tf.saved_model.save(self, str(directory), signatures)


@pytest.fixture(scope="module")
def served(changing_server: RunningServer) -> Iterator[RunningServer]:
    """The server, with a version whose warm-up requests the pusher's code wrote."""
    folder = changing_server.models_dir / MODEL
    hidden = folder / ".pushing-1"
    hidden.parent.mkdir()
    ChannelDetector().save(hidden)
    records = [example(signal) for signal in signals(3)]
    write_warmup_requests(hidden, MODEL, read_signatures(str(hidden)), records)
    hidden.rename(folder / "1")
    eventually(lambda: changing_server.states(MODEL) == {1: "AVAILABLE"})
    yield changing_server
    shutil.rmtree(folder)


def signals(count: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, *SHAPE)).astype(np.float32)


def test_the_warm_up_requests_were_replayed(served: RunningServer) -> None:
    lines = [line for line in served.log if MODEL in line]

    assert any("version 1 answers now" in line for line in lines)
    assert not [line for line in lines if "no warm-up requests" in line]


@pytest.mark.parametrize("count", [1, 5, 300])
def test_rest_answers_in_the_inputs_shape(served: RunningServer, count: int) -> None:
    given = signals(count)

    answered = served.predict(given, MODEL)

    np.testing.assert_allclose(answered["reconstruction"], given / 2, atol=1e-6)
    error = np.abs(given).mean(axis=(1, 2)) / 2
    np.testing.assert_allclose(answered["error"], error, atol=1e-6)
    np.testing.assert_array_equal(answered["is_anomaly"], error > 0.4)
    columns = served.post(f"/v1/models/{MODEL}:predict", {"inputs": given.tolist()}).json()
    np.testing.assert_allclose(columns["outputs"]["reconstruction"], given / 2, atol=1e-6)


def test_grpc_answers_in_the_inputs_shape(served: RunningServer) -> None:
    given = signals(4)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(served.channel())
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    request.inputs["signal"].CopyFrom(tf.make_tensor_proto(given))
    by_example = predict_pb2.PredictRequest()
    by_example.model_spec.name = MODEL
    by_example.model_spec.signature_name = "serve_examples"
    by_example.inputs["examples"].CopyFrom(tf.make_tensor_proto([example(one) for one in given]))

    for asked in (request, by_example):
        outputs = stub.Predict(asked).outputs
        np.testing.assert_array_equal(tf.make_ndarray(outputs["reconstruction"]), given / 2)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("call", [over_grpc, over_rest])
def test_open_inference_answers_in_the_inputs_shape(
    served: RunningServer, call: object, binary: bool
) -> None:
    given = InferInput("signal", [4, *SHAPE], "FP32")
    given.set_data_from_numpy(signals(4), binary_data=binary)

    response = call(served, InferRequest(MODEL, [given]))  # type: ignore[operator]

    reconstruction = response.get_output_by_name("reconstruction")
    assert reconstruction.shape == [4, *SHAPE]
    np.testing.assert_array_equal(reconstruction.as_numpy(), signals(4) / 2)


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        (signals(2).reshape(2, 48).tolist(), "expected float32 [N, 16, 3], got shape [2, 48]"),
        (
            signals(2).transpose(0, 2, 1).tolist(),
            "expected float32 [N, 16, 3], got shape [2, 3, 16]",
        ),
        ([[[1.0, 2.0]] * 16, [[1.0, 2.0, 3.0]] * 16], "got rows of different lengths"),
    ],
    ids=["flat", "channels first", "ragged"],
)
def test_another_shape_is_a_sentence(
    served: RunningServer, instances: object, message: str
) -> None:
    response = served.post(f"/v1/models/{MODEL}:predict", {"instances": instances})

    assert response.status_code == 400
    assert message in response.json()["error"]
