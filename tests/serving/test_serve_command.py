"""Starting and stopping the server, and how it holds up under more than it can take."""

import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Aepipe
from tests.serving.conftest import MODEL, ROOT, RunningServer, running_server
from tests.serving.tiny_detector import push, signals


def test_a_folder_that_is_not_there(aepipe: Aepipe, tmp_path: Path) -> None:
    result = aepipe("serve", "--home", tmp_path)
    assert result.exit_code == 2
    assert result.err == (
        f"aepipe: {tmp_path}/serving: no such folder; run a pipeline first, or name the folder "
        "that holds the models with --models-dir\n"
    )


@pytest.mark.parametrize(
    "option", ["--poll-seconds=0", "--batch-rows=0", "--port=70000", "--body-mib=0"]
)
def test_a_setting_out_of_its_range(aepipe: Aepipe, tmp_path: Path, option: str) -> None:
    result = aepipe("serve", "--models-dir", tmp_path, option)
    assert result.exit_code == 2
    assert result.err.count("\n") == 1
    assert "expected" in result.err


@pytest.mark.parametrize("option", ["--port", "--grpc-port"])
def test_a_port_in_use(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"--port": 0, "--grpc-port": 0} | {option: port}
        command = [sys.executable, "-m", "pipeline", "serve", "--models-dir", str(tmp_path)]
        command += [f"{name}={number}" for name, number in ports.items()]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)
    assert result.returncode == 2
    assert f"port {port}" in result.stderr
    assert f"another with {option}" in result.stderr
    assert "Traceback" not in result.stderr


def test_it_starts_on_an_empty_folder_and_ends_when_told_to(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        assert server.get("/v2/health/live").status_code == 200
        assert server.get("/v2/health/ready").status_code == 503
        assert server.get(f"/v1/models/{MODEL}").status_code == 404
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0


def test_metrics_tell_requests_and_anomalies(server: RunningServer) -> None:
    before = {
        name: server.metric(name, model=MODEL)
        for name in (
            "aepipe_anomalies_total",
            "aepipe_examples_total",
            "aepipe_reconstruction_error_count",
            "aepipe_request_seconds_count",
        )
    }
    answered = server.predict(signals(5) * 10)
    found = answered["is_anomaly"].sum()
    assert found > 0
    server.post("/v1/models/none:predict", {"instances": []})
    gained = {name: server.metric(name, model=MODEL) - value for name, value in before.items()}
    assert gained["aepipe_anomalies_total"] == found
    assert gained["aepipe_examples_total"] == 5
    assert gained["aepipe_reconstruction_error_count"] == 5
    assert gained["aepipe_request_seconds_count"] == 1
    assert server.metric("aepipe_requests_total", model=MODEL, status=200) > 0
    assert server.metric("aepipe_requests_total", model="unknown", status=404) > 0
    assert server.metric("aepipe_default_version", model=MODEL) == 7


def test_more_than_the_queue_takes_is_turned_away_and_the_server_lives(tmp_path: Path) -> None:
    push(tmp_path / MODEL, 1, level=0.0)
    body = {"instances": signals(200).tolist()}
    with running_server(tmp_path, "--queue-rows=200", "--batch-rows=4") as server:

        def ask(_: int) -> int:
            return server.post(f"/v1/models/{MODEL}:predict", body).status_code

        with ThreadPoolExecutor(24) as clients:
            statuses = set(clients.map(ask, range(96)))
        assert statuses == {200, 503}
        assert ask(0) == 200
        turned_away = server.metric("aepipe_requests_total", model=MODEL, status=503)
        assert turned_away > 0
