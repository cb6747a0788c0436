"""Each bad request gets its status and a sentence, and the next good one is answered."""

import json
import struct
from typing import Any

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from tests.serving.conftest import MODEL, RunningServer
from tests.serving.tiny_detector import LENGTH, signals

ROW = [0.0] * LENGTH
PREDICT = f"/v1/models/{MODEL}:predict"
INFER = f"/v2/models/{MODEL}/infer"


def v2(**changes: Any) -> dict[str, Any]:
    given = {"name": "signal", "shape": [1, LENGTH], "datatype": "FP32", "data": ROW}
    return {"inputs": [given | changes]}


REST = {
    "too few values": (PREDICT, {"instances": [ROW[:-1]]}, 400, "[1, 139]"),
    "too many dimensions": (PREDICT, {"instances": [[ROW]]}, 400, "[1, 1, 140]"),
    "a number for a batch": (PREDICT, {"instances": 5}, 400, "expected a list"),
    "ragged rows": (PREDICT, {"instances": [ROW, ROW[:3]]}, 400, "different lengths"),
    "text for numbers": (PREDICT, {"instances": [["a"] * LENGTH]}, 400, "got text"),
    "numbers as text": (PREDICT, {"instances": [["1.5"] * LENGTH]}, 400, "got text"),
    "booleans for numbers": (PREDICT, {"instances": [[True] * LENGTH]}, 400, "booleans"),
    "one boolean": (PREDICT, {"instances": [[*ROW[1:], True]]}, 400, "booleans"),
    "null": (PREDICT, {"instances": [[None] * LENGTH]}, 400, "null"),
    "NaN": (PREDICT, b'{"instances": [[NaN]]}', 400, "NaN"),
    "above float32": (PREDICT, {"instances": [ROW, [1e300] * LENGTH]}, 400, "example 1"),
    "infinite error": (PREDICT, {"instances": [ROW, [3e38] * LENGTH]}, 400, "example 1"),
    "empty batch": (PREDICT, {"instances": []}, 400, "empty"),
    "empty columns": (PREDICT, {"inputs": {"signal": []}}, 400, "empty"),
    "no inputs": (PREDICT, {"inputs": {}}, 400, "'signal'"),
    "an unknown input": (PREDICT, {"inputs": {"image": [ROW]}}, 400, "'image'"),
    "named and unnamed": (PREDICT, {"instances": [{"signal": ROW}, ROW]}, 400, "some"),
    "rows and columns": (PREDICT, {"instances": [ROW], "inputs": [ROW]}, 400, "exactly one"),
    "neither": (PREDICT, {"signature_name": "encode"}, 400, "exactly one"),
    "an unknown key alone": (PREDICT, {"instance": [ROW]}, 400, "'instance'"),
    "UTF-16": (PREDICT, json.dumps({"instances": [ROW]}).encode("utf-16"), 400, "UTF-16"),
    "a list": (PREDICT, [ROW], 400, "JSON object"),
    "half of a body": (PREDICT, b'{"instances": [[0.0, ', 400, "not JSON"),
    "no body": (PREDICT, b"", 400, "not JSON"),
    "not UTF-8": (PREDICT, b"\xff\xfe\x00", 400, "not JSON"),
    "nested without end": (PREDICT, b"[" * 100_000, 400, "not JSON"),
    "unknown signature": (PREDICT, {"instances": [ROW], "signature_name": "x"}, 400, "encode"),
    "signature of no text": (PREDICT, {"instances": [ROW], "signature_name": 3}, 400, "text"),
    "not base64": (
        PREDICT,
        {"instances": [{"b64": "*"}], "signature_name": "serve_examples"},
        400,
        "base64",
    ),
    "not an example": (
        PREDICT,
        {"instances": [{"b64": "AAAA"}], "signature_name": "serve_examples"},
        400,
        "parse example",
    ),
    "unknown model": ("/v1/models/none:predict", {"instances": [ROW]}, 404, "'none'"),
    "unknown version": (f"/v1/models/{MODEL}/versions/8:predict", {"instances": [ROW]}, 404, "8"),
    "no version": (f"/v1/models/{MODEL}/versions/x:predict", {"instances": [ROW]}, 400, "'x'"),
    "unknown label": (f"/v1/models/{MODEL}/labels/x:predict", {"instances": [ROW]}, 404, "'x'"),
    "unknown verb": (f"/v1/models/{MODEL}:classify", {"instances": [ROW]}, 404, "classify"),
    "unknown path": ("/v3/models", {}, 404, "/v3/models"),
    "too large": (PREDICT, b" " * (5 * 2**20), 413, "4194304 bytes"),
    "v2: too few values": (INFER, v2(data=ROW[:-1]), 400, "[1, 140]"),
    "v2: wrong shape": (INFER, v2(shape=[2, 70]), 400, "[2, 70]"),
    "v2: wrong datatype": (INFER, v2(datatype="INT32"), 400, "FP32"),
    "v2: text": (INFER, v2(data=["a"] * LENGTH), 400, "text"),
    "v2: above float32": (INFER, v2(data=[1e300] * LENGTH), 400, "example 0"),
    "v2: empty batch": (INFER, v2(shape=[0, LENGTH], data=[]), 400, "empty"),
    "v2: unknown input": (INFER, v2(name="image"), 400, "'image'"),
    "v2: no inputs": (INFER, {}, 400, "inputs"),
    "v2: not JSON": (INFER, b"{", 400, "JSON"),
    "v2: unknown model": ("/v2/models/none/infer", v2(), 404, "none"),
    "v2: unknown version": (f"/v2/models/{MODEL}/versions/8/infer", v2(), 404, "version 8"),
    "v2: no version": (f"/v2/models/{MODEL}/versions/x/infer", v2(), 400, "'x'"),
    "v2: unknown signature": (INFER, v2() | {"parameters": {"signature_name": "x"}}, 400, "'x'"),
}


@pytest.fixture(autouse=True)
def still_there(server: RunningServer) -> Any:
    yield
    assert server.predict(signals(1))["error"].shape == (1,)


@pytest.mark.parametrize("case", REST)
def test_rest(server: RunningServer, case: str) -> None:
    path, body, status, reported = REST[case]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = server.post(path, data=data)
    assert response.status_code == status, response.text
    sentence = response.json()["error"]
    assert reported in sentence
    assert "\n" not in sentence
    assert "Traceback" not in sentence


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("9", b'{"id":1}\0\0'),
        ("x", b"{}"),
        ("2", b"{}"),
        ("1000", b"{}"),
        ("70", b'{"inputs":[{"name":"signal","shape":[1,140],"datatype":"FP32","data":0}]}'),
        (
            "115",
            b'{"inputs": [{"name": "signal", "shape": [1, 140], "datatype": "FP32", '
            b'"parameters": {"binary_data_size": 560}}]}   ' + bytes(10),
        ),
    ],
)
def test_binary_open_inference(server: RunningServer, header: str, body: bytes) -> None:
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": header,
    }
    response = requests.post(server.url(INFER), data=body, headers=headers, timeout=10)
    assert response.status_code == 400, response.text
    assert response.json()["error"]


def test_wrong_method(server: RunningServer) -> None:
    response = requests.put(server.url(f"/v1/models/{MODEL}"), timeout=10)
    assert response.status_code == 405
    assert "PUT" in response.json()["error"]


def test_a_body_of_unknown_length_is_bounded_too(server: RunningServer) -> None:
    pieces = (b" " * 2**20 for _ in range(5))
    response = requests.post(server.url(PREDICT), data=pieces, timeout=30)
    assert response.status_code == 413
    assert "4194304 bytes" in response.json()["error"]


def proto(values: Any, **fields: Any) -> predict_pb2.PredictRequest:
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name = fields.pop("model", MODEL)
    asked.model_spec.signature_name = fields.pop("signature", "")
    if "version" in fields:
        asked.model_spec.version.value = fields.pop("version")
    if "label" in fields:
        asked.model_spec.version_label = fields.pop("label")
    asked.output_filter.extend(fields.pop("outputs", []))
    if values is not None:
        name = fields.pop("name", "signal")
        asked.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return asked


def torn_tensor() -> predict_pb2.PredictRequest:
    asked = proto(np.zeros((1, LENGTH), np.float32))
    asked.inputs["signal"].tensor_content = b"abc"
    return asked


ZEROS = np.zeros((1, LENGTH), np.float32)
INVALID = grpc.StatusCode.INVALID_ARGUMENT
MISSING = grpc.StatusCode.NOT_FOUND
GRPC = {
    "too few values": (proto(ZEROS[:, 1:]), INVALID, "[1, 139]"),
    "wrong dtype": (proto(ZEROS.astype(np.float64)), INVALID, "float64"),
    "NaN": (proto(np.full((1, LENGTH), np.nan, np.float32)), INVALID, "example 0"),
    "infinite": (proto(np.full((1, LENGTH), np.inf, np.float32)), INVALID, "example 0"),
    "empty batch": (proto(ZEROS[:0]), INVALID, "empty"),
    "no inputs": (proto(None), INVALID, "'signal'"),
    "unknown input": (proto(ZEROS, name="image"), INVALID, "'image'"),
    "torn tensor": (torn_tensor(), INVALID, "not a tensor"),
    "unknown model": (proto(ZEROS, model="none"), MISSING, "'none'"),
    "unknown version": (proto(ZEROS, version=8), MISSING, "version 8"),
    "unknown label": (proto(ZEROS, label="x"), MISSING, "'x'"),
    "unknown signature": (proto(ZEROS, signature="x"), INVALID, "'x'"),
    "unknown output": (proto(ZEROS, outputs=["x"]), INVALID, "'x'"),
    "not an example": (
        proto([b"no example"], name="examples", signature="serve_examples"),
        INVALID,
        "parse example",
    ),
    "garbled": (b"\xff\xff\xff", INVALID, "decoded"),
    "cut off": (proto(ZEROS).SerializeToString()[:-9], INVALID, "decoded"),
    "too large": (b"\0" * (5 * 2**20), grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max"),
}


@pytest.mark.parametrize("case", GRPC)
def test_grpc(server: RunningServer, case: str) -> None:
    request, status, reported = GRPC[case]
    content = request if isinstance(request, bytes) else request.SerializeToString()
    with server.channel() as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/tensorflow.serving.PredictionService/Predict")(content, timeout=30)
    assert refused.value.code() == status, refused.value.details()
    assert reported in refused.value.details()
    assert "\n" not in refused.value.details()


def test_open_inference_over_grpc(server: RunningServer) -> None:
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as v2_pb2

    def asked(**changes: Any) -> v2_pb2.ModelInferRequest:
        request = v2_pb2.ModelInferRequest(model_name=MODEL)
        given = request.inputs.add(name="signal", datatype="FP32", shape=[1, LENGTH])
        given.contents.fp32_contents.extend(ROW)
        for name, value in changes.items():
            setattr(request, name, value)
        return request

    torn = asked()
    torn.inputs[0].ClearField("contents")
    torn.raw_input_contents.append(struct.pack("<3f", 1, 2, 3))
    cases = [
        (asked(model_name="none"), MISSING),
        (asked(model_version="8"), MISSING),
        (asked(model_version="x"), INVALID),
        (torn, INVALID),
        (asked().SerializeToString()[:-9], INVALID),
    ]
    with server.channel() as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        assert call(asked().SerializeToString())
        for request, status in cases:
            content = request if isinstance(request, bytes) else request.SerializeToString()
            with pytest.raises(grpc.RpcError) as refused:
                call(content, timeout=30)
            assert refused.value.code() == status, refused.value.details()


def test_mistakes_of_clients_do_not_fill_the_log(server: RunningServer) -> None:
    server.post(INFER, v2(name="image"))
    server.post("/v1/models/none:predict", {"instances": [ROW]})
    assert not [line for line in server.log if "Traceback" in line]
