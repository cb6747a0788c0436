import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
MODEL = "ecg_anomaly_detector"


@dataclasses.dataclass
class RunningServer:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    models_dir: Path
    port: int
    grpc_port: int
    log: list[str]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url(path), timeout=30)

    def post(self, path: str, body: Any = None, data: bytes | None = None) -> requests.Response:
        headers = {"content-type": "application/json"}
        return requests.post(self.url(path), json=body, data=data, headers=headers, timeout=60)

    def predict(self, signals: np.ndarray, where: str = MODEL, **body: Any) -> dict[str, Any]:
        """Answers of `instances`, column by column as float32."""
        given = {"instances": signals.tolist(), **body}
        response = self.post(f"/v1/models/{where}:predict", given)
        assert response.status_code == 200, response.text
        rows = response.json()["predictions"]
        return {name: np.array([row[name] for row in rows], np.float32) for name in rows[0]}

    def channel(self) -> grpc.Channel:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        return grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}", options)

    def states(self, model: str = MODEL) -> dict[int, str]:
        """Version -> state, none if the model is not there."""
        response = self.get(f"/v1/models/{model}")
        if response.status_code == 404:
            return {}
        statuses = response.json()["model_version_status"]
        return {int(status["version"]): status["state"] for status in statuses}

    def metric(self, name: str, **labels: object) -> float:
        wanted = {f'{key}="{value}"' for key, value in labels.items()}
        for line in self.get("/metrics").text.splitlines():
            series, _, value = line.rpartition(" ")
            if re.match(rf"{name}(\{{|$)", series) and all(label in series for label in wanted):
                return float(value)
        return 0.0

    def resident_bytes(self) -> int:
        return self._status("VmRSS")

    def peak_bytes(self) -> int:
        """Most resident bytes since the start, or since `reset_peak`."""
        return self._status("VmHWM")

    def reset_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def _status(self, name: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (kilobytes,) = re.findall(rf"{name}:\s+(\d+) kB", status)
        return int(kilobytes) * 1024


def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Waits until the condition holds, and fails if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@contextlib.contextmanager
def running_server(
    models_dir: Path, *options: str, open_files: int | None = None
) -> Iterator[RunningServer]:
    limited = ("sh", "-c", f'ulimit -n {open_files} && exec "$@"', "sh") if open_files else ()
    command = [
        *limited,
        *(sys.executable, "-m", "serving", f"--models-dir={models_dir}"),
        *("--port=0", "--grpc-port=0", "--poll-seconds=0.2", *options),
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=os.environ | {"LC_ALL": "C"}
    )
    log: list[str] = []
    started = threading.Event()

    def read_log() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            log.append(line)
            if "REST http" in line:
                started.set()

    reader = threading.Thread(target=read_log, daemon=True)
    reader.start()
    try:
        assert started.wait(90), "".join(log)
        found = re.search(r"REST http://[^:]+:(\d+), gRPC [^:]+:(\d+)", "".join(log))
        assert found
        port, grpc_port = int(found[1]), int(found[2])
        server = RunningServer(process, models_dir, port, grpc_port, log)
        # Ready means that the first look is over; a folder without models never is.
        eventually(
            lambda: (
                server.get("/v2/health/ready").status_code == 200 or not any(models_dir.iterdir())
            )
        )
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(40)
        reader.join(5)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with one version of one model; tests that use it leave both as they are."""
    # Tests of the push directory alone stay without TensorFlow.
    from tests.serving.tiny_detector import push

    models_dir = tmp_path_factory.mktemp("models")
    push(models_dir / MODEL, 7, level=0.25)
    options = ("--body-mib=4", "--cors-origin=https://shop.example")
    with running_server(models_dir, *options) as running:
        yield running


@pytest.fixture(scope="session")
def changing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose folder each test gives a model of its own."""
    from tests.serving.tiny_detector import push

    models_dir = tmp_path_factory.mktemp("changing")
    push(models_dir / "first", 1, level=0.0)
    with running_server(models_dir) as running:
        yield running
