"""A minute of mixed load while versions come, break and are rolled back."""

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.conftest import Aepipe
from tests.serving.conftest import MODEL, RunningServer, eventually, running_server
from tests.serving.tiny_detector import LENGTH, push, push_broken, signals

SECONDS = 60
VERSIONS = 10
BROKEN = 6
ROLLED_BACK = 9
PREDICT = f"/v1/models/{MODEL}:predict"


@dataclasses.dataclass
class Tally:
    """What the clients saw."""

    answered: Counter[str] = dataclasses.field(default_factory=Counter)
    faults: list[str] = dataclasses.field(default_factory=list)
    levels: set[float] = dataclasses.field(default_factory=set)
    slowest: float = 0.0

    def check(self, given: np.ndarray, reconstruction: np.ndarray) -> None:
        """All rows of an answer come from one version, and it is one that was pushed whole."""
        level = np.round(np.float32(reconstruction) - given * 0.5, 3)
        if len(np.unique(level)) != 1:
            self.faults.append(f"mixed levels {np.unique(level)[:5]}")
        self.levels.add(float(level.flat[0]))


def rest(server: RunningServer, tally: Tally, rows: int) -> Callable[[], None]:
    session = requests.Session()
    given = signals(rows, seed=rows)
    body = {"instances": given.tolist()}

    def ask() -> None:
        response = session.post(server.url(PREDICT), json=body, timeout=30)
        assert response.status_code == 200, response.text
        answered = [row["reconstruction"] for row in response.json()["predictions"]]
        tally.check(given, np.array(answered))

    return ask


def bad_rest(server: RunningServer, tally: Tally) -> Callable[[], None]:
    session = requests.Session()

    def ask() -> None:
        response = session.post(server.url(PREDICT), json={"instances": [[1.0]]}, timeout=30)
        assert response.status_code == 400, response.text

    return ask


def tf_serving_grpc(server: RunningServer, tally: Tally, rows: int) -> Callable[[], None]:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(server.channel())
    given = signals(rows, seed=rows)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    request.inputs["signal"].CopyFrom(tf.make_tensor_proto(given))

    def ask() -> None:
        response = stub.Predict(request, timeout=30)
        tally.check(given, tf.make_ndarray(response.outputs["reconstruction"]))

    return ask


def open_inference(server: RunningServer, tally: Tally) -> Callable[[], None]:
    session = requests.Session()
    given = signals(2, seed=3)
    tensor = {
        "name": "signal",
        "shape": [2, LENGTH],
        "datatype": "FP32",
        "data": given.ravel().tolist(),
    }

    def ask() -> None:
        url = server.url(f"/v2/models/{MODEL}/infer")
        response = session.post(url, json={"inputs": [tensor]}, timeout=30)
        assert response.status_code == 200, response.text
        outputs = {output["name"]: output["data"] for output in response.json()["outputs"]}
        tally.check(given, np.array(outputs["reconstruction"]).reshape(given.shape))

    return ask


def keep_asking(name: str, ask: Callable[[], None], tally: Tally, stop: threading.Event) -> None:
    while not stop.is_set():
        start = time.monotonic()
        try:
            ask()
            tally.answered[name] += 1
        except (AssertionError, requests.RequestException, grpc.RpcError) as error:
            tally.faults.append(f"{name}: {error!r:.300}")
        tally.slowest = max(tally.slowest, time.monotonic() - start)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_minute_of_load_pushes_and_a_rollback(tmp_path: Path, aepipe: Aepipe) -> None:
    models_dir = tmp_path / "serving"
    folder = models_dir / MODEL
    push(folder, 1, level=1.0)
    tally = Tally()
    stop = threading.Event()
    memory: list[int] = []
    with running_server(models_dir) as server:
        clients = {
            "one": rest(server, tally, 1),
            "many": rest(server, tally, 64),
            "bad": bad_rest(server, tally),
            "grpc": tf_serving_grpc(server, tally, 1),
            "grpc many": tf_serving_grpc(server, tally, 64),
            "v2": open_inference(server, tally),
        }
        threads = [
            threading.Thread(target=keep_asking, args=(name, ask, tally, stop))
            for name, ask in clients.items()
        ]
        for thread in threads:
            thread.start()
        try:
            end = time.monotonic() + SECONDS
            for version in range(2, VERSIONS + 2):
                time.sleep(max(0.0, (end - time.monotonic()) / (VERSIONS + 2 - version)))
                memory.append(server.resident_bytes())
                if version == BROKEN:
                    push_broken(folder, version)
                    continue
                push(folder, version, level=float(version))
                if version == ROLLED_BACK:
                    wait_for_level(tally, version)
                    result = aepipe("models", "rollback", MODEL, "--models-dir", models_dir)
                    assert result.exit_code == 0, result.err
                    eventually(lambda: default_version(server) == ROLLED_BACK - 1)
            wait_for_level(tally, VERSIONS + 1)
        finally:
            stop.set()
            for thread in threads:
                thread.join(40)
        states = server.states()
        memory.append(server.resident_bytes())
    assert not tally.faults, tally.faults[:5]
    assert all(tally.answered[name] > 50 for name in clients), tally.answered
    assert tally.levels == {float(v) for v in range(1, VERSIONS + 2) if v != BROKEN}
    assert {version for version, state in states.items() if state == "AVAILABLE"} == {VERSIONS + 1}
    assert not [line for line in server.log if "Traceback" in line]
    print(tally.answered, f"slowest {tally.slowest:.3f} s, MB:", [m // 2**20 for m in memory])
    # The first versions fill TensorFlow's pools; after them, memory must not follow the pushes.
    assert memory[-1] < 1.1 * memory[3]


def wait_for_level(tally: Tally, level: float) -> None:
    eventually(lambda: level in tally.levels)


def default_version(server: RunningServer) -> int:
    return int(server.metric("aepipe_default_version", model=MODEL))
