"""The clients that people have: each gets what the model computes in this process."""

import asyncio
import json
import os
import shutil
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.serving.conftest import MODEL, RunningServer, running_server
from tests.serving.tiny_detector import push, signals

CLIENTS = Path(__file__).with_name("clients")
CHECKED = ("error", "reconstruction")
GIVEN = signals(5, seed=5)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("clients")
    push(directory / MODEL, 3, level=0.75)
    return directory


@pytest.fixture(scope="module")
def any_server(models_dir: Path) -> Iterator[RunningServer]:
    with running_server(models_dir) as running:
        yield running


@pytest.fixture(scope="module")
def expected(models_dir: Path) -> dict[str, np.ndarray]:
    model = tf.saved_model.load(str(models_dir / MODEL / "3"))
    outputs = model.signatures["serving_default"](signal=tf.constant(GIVEN))
    return {name: value.numpy() for name, value in outputs.items()}


@pytest.fixture(scope="session")
def clients_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python with Triton's clients, and nothing of ours."""
    directory = tmp_path_factory.mktemp("environment")
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    requirements = CLIENTS / "requirements.txt"
    install = [python, "-m", "pip", "install", "-q", "--require-hashes", "-r", requirements]
    finished = subprocess.run(install, capture_output=True, text=True, check=False)
    if finished.returncode:
        pytest.skip(f"tritonclient is not installed: {finished.stderr.strip().splitlines()[-1]}")
    return python


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def check(answers: dict[str, Any], expected: dict[str, np.ndarray]) -> None:
    for name in CHECKED:
        np.testing.assert_allclose(
            np.array(answers[name], np.float32), expected[name], rtol=1e-6, err_msg=name
        )


@pytest.mark.timeout(600)
def test_triton(
    any_server: RunningServer,
    expected: dict[str, np.ndarray],
    clients_python: Path,
    tmp_path: Path,
) -> None:
    np.save(tmp_path / "inputs.npy", GIVEN)
    ports = str(any_server.port), str(any_server.grpc_port)
    files = tmp_path / "inputs.npy", tmp_path / "outputs.npz"
    finished = subprocess.run(
        [clients_python, "-I", CLIENTS / "triton.py", *ports, MODEL, *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    with np.load(files[1]) as outputs:
        ways = {name.partition("/")[0] for name in outputs.files}
        assert len(ways) == 7 + 3 * 8
        for way in ways:
            check(
                {name: outputs[f"{way}/{name}"] for name in ("error", "reconstruction")}, expected
            )


def v1(directory: Path) -> tuple[str, Path]:
    body = directory / "v1.json"
    body.write_text(json.dumps({"instances": GIVEN.tolist()}))
    return f"/v1/models/{MODEL}:predict", body


def v2(directory: Path) -> tuple[str, Path]:
    body = directory / "v2.json"
    tensor = {"name": "signal", "shape": list(GIVEN.shape), "datatype": "FP32"}
    body.write_text(json.dumps({"inputs": [tensor | {"data": GIVEN.ravel().tolist()}]}))
    return f"/v2/models/{MODEL}/infer", body


def curl(url: str, body: Path) -> list[str]:
    return [program("curl"), "-sS", "--fail-with-body", "--data-binary", f"@{body}", url]


def curl_json(url: str, body: Path) -> list[str]:
    return [*curl(url, body), "-H", "content-type: application/json"]


def curl_http2(url: str, body: Path) -> list[str]:
    return [*curl_json(url, body), "--http2"]


def curl_gzip(url: str, body: Path) -> list[str]:
    packed = body.with_suffix(".gz")
    with packed.open("wb") as file:
        subprocess.run([program("gzip"), "-c", body], stdout=file, check=True)
    return [*curl_json(url, packed), "-H", "content-encoding: gzip"]


def java(url: str, body: Path) -> list[str]:
    return [program("java"), str(CLIENTS / "Post.java"), url, str(body)]


def node(url: str, body: Path) -> list[str]:
    return [program("node"), str(CLIENTS / "post.mjs"), url, str(body)]


@pytest.mark.parametrize("protocol", [v1, v2])
@pytest.mark.parametrize("client", [curl, curl_json, curl_http2, curl_gzip, java, node])
def test_programs_of_other_languages(
    any_server: RunningServer,
    expected: dict[str, np.ndarray],
    client: Any,
    protocol: Any,
    tmp_path: Path,
) -> None:
    path, body = protocol(tmp_path)
    finished = subprocess.run(
        client(any_server.url(path), body),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
    )
    assert finished.returncode == 0, finished.stderr + finished.stdout
    content = json.loads(finished.stdout)
    if protocol is v1:
        rows = content["predictions"]
        check({name: [row[name] for row in rows] for name in rows[0]}, expected)
    else:
        outputs = {given["name"]: given for given in content["outputs"]}
        check({n: np.reshape(o["data"], o["shape"]) for n, o in outputs.items()}, expected)


def test_tensorflow_serving_stubs(
    any_server: RunningServer, expected: dict[str, np.ndarray]
) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    with any_server.channel() as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for fill in (
            lambda tensor: tensor.CopyFrom(tf.make_tensor_proto(GIVEN)),
            lambda tensor: tensor.ClearField("tensor_content"),
        ):
            fill(request.inputs["signal"])
            if not request.inputs["signal"].tensor_content:
                request.inputs["signal"].float_val.extend(GIVEN.ravel().tolist())
            answer = stub.Predict(request, timeout=30)
            outputs = {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}
            check(outputs, expected)
            # Clients of other languages read the typed field.
            assert len(answer.outputs["reconstruction"].float_val) == GIVEN.size


@pytest.mark.parametrize("binary", [True, False])
def test_kserve(any_server: RunningServer, expected: dict[str, np.ndarray], binary: bool) -> None:
    async def ask() -> list[Any]:
        given = InferInput("signal", list(GIVEN.shape), "FP32")
        given.set_data_from_numpy(GIVEN, binary_data=binary)
        request = InferRequest(MODEL, [given])
        grpc_client = InferenceGRPCClient(f"127.0.0.1:{any_server.grpc_port}")
        rest_client = InferenceRESTClient(RESTConfig(protocol="v2"))
        url = any_server.url("")
        answers = [
            await grpc_client.infer(request),
            await rest_client.infer(url, request, model_name=MODEL),
        ]
        await grpc_client.close()
        await rest_client.close()
        return answers

    answers = asyncio.run(ask())
    # KServe's own client drops the version of an answer over HTTP.
    assert answers[0].model_version == "3"
    for answer in answers:
        check({output.name: output.as_numpy() for output in answer.outputs}, expected)
