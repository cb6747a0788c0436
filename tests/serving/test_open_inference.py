"""The Open Inference Protocol v2, through KServe's own clients."""

import asyncio

import httpx
import numpy as np
import pytest
from kserve import (
    InferenceGRPCClient,
    InferenceRESTClient,
    InferInput,
    InferRequest,
    InferResponse,
    RESTConfig,
)

from tests.serving.conftest import MODEL, RunningServer
from tests.serving.tiny_detector import example, signals


def asked(values: np.ndarray, *, binary: bool = True, **options: object) -> InferRequest:
    name, datatype = ("examples", "BYTES") if values.dtype == object else ("signal", "FP32")
    given = InferInput(name, list(values.shape), datatype)
    given.set_data_from_numpy(values, binary_data=binary)
    return InferRequest(MODEL, [given], **options)


def over_grpc(server: RunningServer, request: InferRequest) -> InferResponse:
    async def call() -> InferResponse:
        client = InferenceGRPCClient(f"127.0.0.1:{server.grpc_port}")
        try:
            return await client.infer(request)
        finally:
            await client.close()

    return asyncio.run(call())


def over_rest(server: RunningServer, request: InferRequest) -> InferResponse:
    async def call() -> InferResponse:
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        try:
            return await client.infer(server.url(""), request, model_name=request.model_name)
        finally:
            await client.close()

    return asyncio.run(call())


def errors(response: InferResponse) -> np.ndarray:
    return response.get_output_by_name("error").as_numpy()


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("call", [over_grpc, over_rest])
def test_the_answer_is_the_one_of_the_other_protocol(
    server: RunningServer, call: object, binary: bool
) -> None:
    given = signals(3)
    response = call(server, asked(given, binary=binary))  # type: ignore[operator]
    np.testing.assert_array_equal(errors(response), server.predict(given)["error"])
    assert response.get_output_by_name("is_anomaly").as_numpy().dtype == bool
    assert response.get_output_by_name("reconstruction").shape == [3, 140]
    answered = server.predict(given)
    for name, shape in (("p_value", [3]), ("contribution", [3, 140])):
        output = response.get_output_by_name(name)
        assert (output.datatype, output.shape) == ("FP32", shape)
        np.testing.assert_array_equal(output.as_numpy(), answered[name])


def test_outputs_can_be_asked_for_in_binary_form(server: RunningServer) -> None:
    request = asked(signals(3), parameters={"binary_data_output": True})
    np.testing.assert_array_equal(
        errors(over_rest(server, request)), errors(over_rest(server, asked(signals(3))))
    )


@pytest.mark.parametrize("call", [over_grpc, over_rest])
def test_a_parameter_names_the_signature(server: RunningServer, call: object) -> None:
    given = signals(2)
    response = call(server, asked(given, parameters={"signature_name": "encode"}))  # type: ignore[operator]
    latent = response.get_output_by_name("latent").as_numpy()
    np.testing.assert_allclose(latent, given[:, :8] + 0.25, atol=1e-6)


def test_serialized_examples_come_over_grpc(server: RunningServer) -> None:
    given = signals(2)
    examples = np.array([example(row) for row in given], dtype=object)
    request = asked(examples, parameters={"signature_name": "serve_examples"})
    np.testing.assert_allclose(
        errors(over_grpc(server, request)), server.predict(given)["error"], atol=1e-6
    )


def test_a_version_can_be_named(server: RunningServer) -> None:
    assert over_grpc(server, asked(signals(1), model_version="7")).model_version == "7"
    path = f"/v2/models/{MODEL}/versions/7/infer"
    given = {"name": "signal", "shape": [1, 140], "datatype": "FP32", "data": [0.0] * 140}
    answered = server.post(path, {"inputs": [given]}).json()
    assert answered["model_version"] == "7"
    assert answered["model_name"] == MODEL


def test_health_and_readiness(server: RunningServer) -> None:
    async def ask() -> list[bool]:
        grpc_client = InferenceGRPCClient(f"127.0.0.1:{server.grpc_port}")
        rest_client = InferenceRESTClient(RESTConfig(protocol="v2"))
        answers = [
            await grpc_client.is_server_live(),
            await grpc_client.is_server_ready(),
            await grpc_client.is_model_ready(MODEL),
            await rest_client.is_server_live(httpx.URL(server.url(""))),
            await rest_client.is_server_ready(httpx.URL(server.url(""))),
            await rest_client.is_model_ready(httpx.URL(server.url("")), MODEL),
        ]
        await grpc_client.close()
        await rest_client.close()
        return answers

    assert asyncio.run(ask()) == [True] * 6
    assert server.get(f"/v2/models/{MODEL}/versions/7/ready").json()["ready"] is True
    assert server.get(f"/v2/models/{MODEL}/versions/8/ready").status_code == 404


def test_metadata(server: RunningServer) -> None:
    for path in (f"/v2/models/{MODEL}", f"/v2/models/{MODEL}/versions/7"):
        content = server.get(path).json()
        assert content["inputs"] == [{"name": "signal", "datatype": "FP32", "shape": [-1, 140]}]
        assert {"name": "is_anomaly", "datatype": "BOOL", "shape": [-1]} in content["outputs"]
    assert server.get("/v2/models").json() == {"models": [MODEL]}


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_no_client_can_load_or_unload(server: RunningServer, verb: str) -> None:
    response = server.post(f"/v2/repository/models/{MODEL}/{verb}", {})
    assert response.status_code == 501
    assert "push directory" in response.json()["error"]
    assert server.get("/v2/health/ready").status_code == 200
