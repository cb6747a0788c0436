"""Asks the server as Triton's clients do: `triton.py HTTP_PORT GRPC_PORT MODEL INPUTS OUTPUTS`.

Runs in an environment of its own; writes error and reconstruction of each way to ask.
"""

import asyncio
import sys

import numpy as np
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio

OUTPUTS = ("error", "reconstruction")


def http_request(signals, binary, module=tritonclient.http):
    given = module.InferInput("signal", list(signals.shape), "FP32")
    given.set_data_from_numpy(signals, binary_data=binary)
    wanted = [module.InferRequestedOutput(name, binary_data=binary) for name in OUTPUTS]
    return {"inputs": [given], "outputs": wanted}


def grpc_request(signals):
    given = tritonclient.grpc.InferInput("signal", list(signals.shape), "FP32")
    given.set_data_from_numpy(signals)
    wanted = [tritonclient.grpc.InferRequestedOutput(name) for name in OUTPUTS]
    return {"inputs": [given], "outputs": wanted}


def read(result):
    return {name: result.as_numpy(name) for name in OUTPUTS}


def ask(http_address, grpc_address, model, signals):
    answers = {}
    with tritonclient.http.InferenceServerClient(http_address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(model)
        metadata = client.get_model_metadata(model)
        assert metadata["name"] == model
        assert metadata["versions"]
        assert metadata["platform"]
        for binary in (True, False):
            request = http_request(signals, binary)
            answers[f"http binary={binary}"] = read(client.infer(model, **request))
        version = metadata["versions"][-1]
        result = client.infer(model, model_version=version, **http_request(signals, True))
        answers["http of a version"] = read(result)
        result = client.infer(
            model,
            request_compression_algorithm="gzip",
            response_compression_algorithm="gzip",
            **http_request(signals, True),
        )
        answers["http gzip"] = read(result)
    with tritonclient.grpc.InferenceServerClient(grpc_address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(model)
        metadata = client.get_model_metadata(model)
        assert list(metadata.versions) == [version]
        answers["grpc"] = read(client.infer(model, **grpc_request(signals)))
        result = client.infer(model, model_version=version, **grpc_request(signals))
        answers["grpc of a version"] = read(result)
        result = client.infer(model, compression_algorithm="gzip", **grpc_request(signals))
        answers["grpc gzip"] = read(result)
    return answers


async def ask_at_once(http_address, grpc_address, model, signals):
    answers = {}
    async with tritonclient.http.aio.InferenceServerClient(http_address) as client:
        for binary in (True, False):
            request = http_request(signals, binary, tritonclient.http.aio)
            results = await asyncio.gather(*(client.infer(model, **request) for _ in range(8)))
            for number, result in enumerate(results):
                answers[f"async http binary={binary} {number}"] = read(result)
    async with tritonclient.grpc.aio.InferenceServerClient(grpc_address) as client:
        calls = (client.infer(model, **grpc_request(signals)) for _ in range(8))
        for number, result in enumerate(await asyncio.gather(*calls)):
            answers[f"async grpc {number}"] = read(result)
    return answers


def main(http_port, grpc_port, model, inputs, outputs):
    addresses = f"127.0.0.1:{http_port}", f"127.0.0.1:{grpc_port}"
    signals = np.load(inputs)
    answers = ask(*addresses, model, signals)
    answers |= asyncio.run(ask_at_once(*addresses, model, signals))
    np.savez(
        outputs, **{f"{way}/{name}": a for way, read in answers.items() for name, a in read.items()}
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
