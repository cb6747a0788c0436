"""What gRPC answers beside predictions: health, metadata, methods that are not served, its end."""

import concurrent.futures
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from kserve.protocol.grpc import grpc_predict_v2_pb2 as v2
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as v2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tests.serving.conftest import MODEL, RunningServer, eventually, running_server
from tests.serving.tiny_detector import push, signals

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def test_methods_that_are_not_served_say_so(server: RunningServer) -> None:
    with server.channel() as channel:
        prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        v2_stub = v2_grpc.GRPCInferenceServiceStub(channel)
        for call, request, reported in (
            (prediction.Classify, classification_pb2.ClassificationRequest(), "call Predict"),
            (prediction.Regress, regression_pb2.RegressionRequest(), "call Predict"),
            (prediction.MultiInference, inference_pb2.MultiInferenceRequest(), "call Predict"),
            (
                models.HandleReloadConfigRequest,
                model_management_pb2.ReloadConfigRequest(),
                "push directory",
            ),
            (v2_stub.RepositoryModelLoad, v2.RepositoryModelLoadRequest(), "push directory"),
            (v2_stub.RepositoryModelUnload, v2.RepositoryModelUnloadRequest(), "push directory"),
            (channel.unary_unary("/tensorflow.serving.SessionService/SessionRun"), b"", "Session"),
            (channel.unary_unary("/inference.GRPCInferenceService/ModelConfig"), b"", "Config"),
            (lambda r, timeout: next(channel.unary_stream("/a.B/C")(r)), b"", "/a.B/C"),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                call(request, timeout=30)
            assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
            assert reported in refused.value.details()


def test_health_of_the_server_and_of_a_model(server: RunningServer) -> None:
    with server.channel() as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", MODEL, "tensorflow.serving.PredictionService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=30)
            assert answer.status == SERVING
        with pytest.raises(grpc.RpcError) as refused:
            health.Check(health_pb2.HealthCheckRequest(service="none"), timeout=30)
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND
        assert "'none'" in refused.value.details()
        watched = health.Watch(health_pb2.HealthCheckRequest(service="none"), timeout=30)
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        watched.cancel()


def test_metadata_is_that_of_http(server: RunningServer) -> None:
    with server.channel() as channel:
        stub = v2_grpc.GRPCInferenceServiceStub(channel)
        for version in ("", "7"):
            answer = stub.ModelMetadata(
                v2.ModelMetadataRequest(name=MODEL, version=version), timeout=30
            )
            assert answer.name == MODEL
            assert list(answer.versions) == ["7"]
            assert answer.platform == "tensorflow_savedmodel"
            path = f"/v2/models/{MODEL}" + (f"/versions/{version}" if version else "")
            content = server.get(path).json()
            assert content["name"] == MODEL
            assert content["versions"] == ["7"]
            assert content["platform"] == answer.platform
            shapes = {given.name: list(given.shape) for given in answer.inputs}
            assert {given["name"]: given["shape"] for given in content["inputs"]} == shapes


def test_a_request_that_was_read_is_answered_although_the_server_stops(tmp_path: Path) -> None:
    push(tmp_path / MODEL, 1, level=0.0)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    request.inputs["signal"].CopyFrom(tf.make_tensor_proto(signals(1)))
    ended: Counter[str] = Counter()
    stopped = threading.Event()

    def keep_asking(server: RunningServer) -> None:
        with server.channel() as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            while True:
                after = stopped.is_set()
                try:
                    stub.Predict(request, timeout=30)
                except grpc.RpcError as error:
                    # One that the server has read may not be lost: refused is what came too late.
                    ended[f"{error.code().name} {error.details()}"] += 1
                    return
                ended["answered"] += 1
                assert not after

    # Each batch waits, so that there are requests in hand at any time.
    with (
        running_server(tmp_path, "--batch-delay-ms=300") as server,
        concurrent.futures.ThreadPoolExecutor(32) as pool,
        server.channel() as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        watched = health.Watch(health_pb2.HealthCheckRequest(service=""))
        assert next(watched).status == SERVING
        clients = [pool.submit(keep_asking, server) for _ in range(32)]
        eventually(lambda: ended["answered"] > 100)
        answered = ended["answered"]
        server.process.send_signal(signal.SIGTERM)
        assert next(watched).status == NOT_SERVING
        started = time.monotonic()
        assert server.process.wait(20) in (0, -signal.SIGTERM)
        assert time.monotonic() - started < 10
        stopped.set()
        for client in clients:
            client.result()
    assert ended["answered"] > answered
    refusals = {reason for reason in ended if reason != "answered"}
    assert all(reason.startswith("UNAVAILABLE") for reason in refusals), ended
    assert sum(ended[reason] for reason in refusals) == 32
    for cut in ("reset", "closed", "EOF"):
        assert not any(cut in reason.lower() for reason in refusals), ended
