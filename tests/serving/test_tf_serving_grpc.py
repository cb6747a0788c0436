"""TensorFlow Serving's gRPC services, through the stubs of tensorflow-serving-api."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving.conftest import MODEL, RunningServer
from tests.serving.tiny_detector import example, signals


def request(values: np.ndarray | list[bytes], name: str = "signal") -> predict_pb2.PredictRequest:
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name = MODEL
    asked.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return asked


@pytest.fixture
def stub(server: RunningServer) -> prediction_service_pb2_grpc.PredictionServiceStub:
    return prediction_service_pb2_grpc.PredictionServiceStub(server.channel())


def test_one_example_gives_the_saved_models_own_bits(
    server: RunningServer, stub: prediction_service_pb2_grpc.PredictionServiceStub
) -> None:
    given = signals(1)
    model = tf.saved_model.load(str(server.models_dir / MODEL / "7"))
    expected = model.signatures["serving_default"](signal=tf.constant(given))
    response = stub.Predict(request(given))
    assert response.model_spec.version.value == 7
    assert response.model_spec.signature_name == "serving_default"
    assert set(response.outputs) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(tf.make_ndarray(response.outputs[name]), value.numpy())


def test_outputs_lie_in_the_typed_field(
    stub: prediction_service_pb2_grpc.PredictionServiceStub,
) -> None:
    response = stub.Predict(request(signals(2)))
    assert len(response.outputs["error"].float_val) == 2
    assert len(response.outputs["is_anomaly"].bool_val) == 2


def test_a_version_a_signature_and_some_outputs_can_be_named(
    stub: prediction_service_pb2_grpc.PredictionServiceStub,
) -> None:
    given = signals(2)
    asked = request([example(row) for row in given], "examples")
    asked.model_spec.version.value = 7
    asked.model_spec.signature_name = "serve_examples"
    asked.output_filter.append("error")
    response = stub.Predict(asked)
    assert list(response.outputs) == ["error"]
    np.testing.assert_allclose(
        response.outputs["error"].float_val, np.abs(given * 0.5 - 0.25).mean(axis=1), atol=1e-6
    )


def test_metadata(stub: prediction_service_pb2_grpc.PredictionServiceStub) -> None:
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = MODEL
    response = stub.GetModelMetadata(asked)
    assert response.model_spec.version.value == 7
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert "signal" in signatures.signature_def["serving_default"].inputs


def test_status(server: RunningServer) -> None:
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = MODEL
    stub = model_service_pb2_grpc.ModelServiceStub(server.channel())
    (status,) = stub.GetModelStatus(asked).model_version_status
    assert status.version == 7
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE


def test_what_is_not_served_is_unimplemented(
    stub: prediction_service_pb2_grpc.PredictionServiceStub,
) -> None:
    from tensorflow_serving.apis import classification_pb2

    with pytest.raises(grpc.RpcError) as refused:
        stub.Classify(classification_pb2.ClassificationRequest())
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
