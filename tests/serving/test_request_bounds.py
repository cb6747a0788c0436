"""What one request, or many at a time, may ask of the server on each protocol."""

import concurrent.futures
import json
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kserve.protocol.grpc import grpc_predict_v2_pb2 as v2
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2

from tests.serving.conftest import MODEL, RunningServer, eventually, running_server
from tests.serving.tiny_detector import LENGTH, push, signals

ROWS = 64
PREDICT = "/tensorflow.serving.PredictionService/Predict"
INFER = "/inference.GRPCInferenceService/ModelInfer"
MIB = 2**20


@pytest.fixture(scope="module")
def bounded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    models_dir = tmp_path_factory.mktemp("bounded")
    push(models_dir / MODEL, 1, level=0.5)
    with running_server(models_dir, f"--queue-rows={ROWS}") as running:
        # TensorFlow's and gRPC's pools are filled before memory is looked at.
        for _ in range(3):
            running.predict(signals(ROWS))
            assert call(running, PREDICT, predict(signals(ROWS))).code == grpc.StatusCode.OK
        yield running


class Called:
    """How a call ended: its status, the sentence, the answer's bytes."""

    def __init__(self, code: grpc.StatusCode, details: str, content: bytes) -> None:
        self.code, self.details, self.content = code, details, content


def call(server: RunningServer, method: str, request: Any, **options: Any) -> Called:
    content = request if isinstance(request, bytes) else request.SerializeToString()
    with server.channel() as channel:
        try:
            answer = channel.unary_unary(method)(content, timeout=60, **options)
        except grpc.RpcError as error:
            return Called(error.code(), error.details(), b"")
    return Called(grpc.StatusCode.OK, "", answer)


def predict(array: np.ndarray | None = None, shape: tuple[int, ...] = ()) -> Any:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    tensor = request.inputs["signal"]
    if array is not None:
        tensor.CopyFrom(tf.make_tensor_proto(array))
    else:
        tensor.dtype = types_pb2.DT_FLOAT
        tensor.float_val.append(1.0)
        for size in shape:
            tensor.tensor_shape.dim.add(size=size)
    return request


def infer(shape: tuple[int, ...], values: int = 0, raw: bytes | None = None) -> Any:
    request = v2.ModelInferRequest(model_name=MODEL)
    tensor = request.inputs.add(name="signal", datatype="FP32", shape=shape)
    if raw is None:
        tensor.contents.fp32_contents.extend([1.0] * values)
    else:
        request.raw_input_contents.append(raw)
    return request


DECLARED = {
    "one value for many examples": (PREDICT, predict(shape=(ROWS, LENGTH)), "INVALID_ARGUMENT"),
    "more examples than may wait": (
        PREDICT,
        predict(shape=(400_000, LENGTH)),
        "RESOURCE_EXHAUSTED",
    ),
    "more than memory": (PREDICT, predict(shape=(2**50, LENGTH)), "RESOURCE_EXHAUSTED"),
    "a size below zero": (PREDICT, predict(shape=(-1, LENGTH)), "INVALID_ARGUMENT"),
    "one axis": (PREDICT, predict(shape=(2**60,)), "INVALID_ARGUMENT"),
    "v2: no values": (INFER, infer((ROWS, LENGTH)), "INVALID_ARGUMENT"),
    "v2: many examples": (INFER, infer((400_000, LENGTH), 1), "RESOURCE_EXHAUSTED"),
    "v2: too many values": (INFER, infer((1, LENGTH), 2**20), "INVALID_ARGUMENT"),
    "v2: no bytes": (INFER, infer((ROWS, LENGTH), raw=b""), "INVALID_ARGUMENT"),
    "v2: many bytes": (INFER, infer((1, LENGTH), raw=bytes(MIB)), "INVALID_ARGUMENT"),
    "v2: below zero": (INFER, infer((-1, -LENGTH), LENGTH), "INVALID_ARGUMENT"),
}


@pytest.mark.parametrize("case", DECLARED)
def test_a_shape_that_the_content_does_not_fill(bounded_server: RunningServer, case: str) -> None:
    method, request, status = DECLARED[case]
    before = bounded_server.peak_bytes()
    called = call(bounded_server, method, request)
    assert called.code.name == status, called.details
    assert "'signal'" in called.details or "--queue-rows" in called.details
    assert bounded_server.peak_bytes() - before < 32 * MIB


def rest(server: RunningServer, rows: int) -> requests.Response:
    return server.post(f"/v1/models/{MODEL}:predict", {"instances": [[0.0] * LENGTH] * rows})


def v2_rest(server: RunningServer, rows: int) -> requests.Response:
    tensor = {"name": "signal", "shape": [rows, LENGTH], "datatype": "FP32"}
    data = {"data": [0.0] * (rows * LENGTH)}
    return server.post(f"/v2/models/{MODEL}/infer", {"inputs": [tensor | data]})


def v2_binary(server: RunningServer, rows: int, came: int | None = None) -> requests.Response:
    content = bytes(4 * LENGTH * (rows if came is None else came))
    tensor = {
        "name": "signal",
        "shape": [rows, LENGTH],
        "datatype": "FP32",
        "parameters": {"binary_data_size": len(content)},
    }
    header = json.dumps({"inputs": [tensor]}).encode()
    return requests.post(
        server.url(f"/v2/models/{MODEL}/infer"),
        data=header + content,
        headers={
            "content-type": "application/octet-stream",
            "inference-header-content-length": str(len(header)),
        },
        timeout=60,
    )


@pytest.mark.parametrize("post", [rest, v2_rest, v2_binary])
def test_more_examples_than_may_wait_are_refused_over_http(
    bounded_server: RunningServer, post: Any
) -> None:
    assert post(bounded_server, ROWS).status_code == 200
    response = post(bounded_server, ROWS + 1)
    assert response.status_code == 413
    assert f"{ROWS + 1} examples" in response.json()["error"]
    assert "--queue-rows" in response.json()["error"]


def test_more_examples_than_may_wait_are_refused_over_grpc(bounded_server: RunningServer) -> None:
    for method, request in (
        (PREDICT, predict(signals(ROWS + 1))),
        (INFER, infer((ROWS + 1, LENGTH), raw=signals(ROWS + 1).tobytes())),
        (INFER, infer((ROWS + 1, LENGTH), (ROWS + 1) * LENGTH)),
    ):
        called = call(bounded_server, method, request)
        assert called.code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "--queue-rows" in called.details
    assert call(bounded_server, PREDICT, predict(signals(ROWS))).code == grpc.StatusCode.OK


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.integers(-1, 2**62),
    length=st.sampled_from([LENGTH, 1, 0, -1, 2**40]),
    came=st.integers(0, 2 * ROWS * LENGTH),
    form=st.sampled_from(["typed", "raw", "content", "float_val"]),
)
def test_any_shape_and_content_are_answered_or_refused(
    bounded_server: RunningServer, rows: int, length: int, came: int, form: str
) -> None:
    if form in ("typed", "raw"):
        raw = bytes(4 * came) if form == "raw" else None
        method, request = INFER, infer((rows, length), came, raw)
    else:
        method, request = PREDICT, predict(shape=(rows, length))
        tensor = request.inputs["signal"]
        del tensor.float_val[:]
        if form == "content":
            tensor.tensor_content = bytes(4 * came)
        else:
            tensor.float_val.extend([0.0] * came)
    called = call(bounded_server, method, request)
    assert called.code.name in ("OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"), called.details
    assert len(called.content) < 10_000 + 8 * len(request.SerializeToString())


def test_many_large_messages_do_not_fill_the_memory(bounded_server: RunningServer) -> None:
    request = predict(signals(1)).SerializeToString()
    large = predict(np.zeros((110_000, LENGTH), np.float32)).SerializeToString()
    assert len(large) > 58 * MIB
    before = bounded_server.resident_bytes()
    bounded_server.reset_peak()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(call, bounded_server, PREDICT, large) for _ in range(6)]
        while not all(future.done() for future in calls):
            assert call(bounded_server, PREDICT, request).code == grpc.StatusCode.OK
    assert {future.result().code for future in calls} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert bounded_server.peak_bytes() - before < 900 * MIB
    print(len(calls), (bounded_server.peak_bytes() - before) // MIB, "MiB at the most")
    eventually(lambda: bounded_server.resident_bytes() - before < 64 * MIB)
