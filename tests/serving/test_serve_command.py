"""Starting and stopping the server, and how it holds up under more than it can take."""

import signal
import socket
import subprocess
import sys
import time
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
    ("option", "expected"),
    [
        ("--poll-seconds=0", "0.05 to 3600"),
        ("--poll-seconds=nan", "0.05 to 3600"),
        ("--batch-rows=0", "1 to 100000"),
        ("--batch-delay-ms=10001", "0 to 10000"),
        ("--queue-rows=0", "1 to 10000000"),
        ("--port=70000", "0 to 65535"),
        ("--grpc-port=-1", "0 to 65535"),
        ("--body-mib=0", "1 to 2047"),
        ("--body-mib=2048", "1 to 2047"),
        ("--body-seconds=0", "0.1 to 3600"),
        ("--header-kib=0", "1 to 1024"),
        ("--header-seconds=inf", "0.1 to 3600"),
        ("--idle-seconds=0", "0.1 to 86400"),
        ("--connections=0", "1 to 1000000"),
    ],
)
def test_a_setting_out_of_its_range(
    aepipe: Aepipe, tmp_path: Path, option: str, expected: str
) -> None:
    result = aepipe("serve", "--models-dir", tmp_path, option)
    assert result.exit_code == 2
    assert result.err == f"aepipe: {option}: expected {expected}\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--models-dir="], "--models-dir is empty"),
        (["--home="], "--home is empty"),
        (["--models-dir=.", "--port=8600", "--grpc-port=8600"], "both 8600"),
        (["--models-dir=.", "--connections=900000"], "--connections=900000: this process may open"),
    ],
)
def test_settings_that_do_not_go_together(
    aepipe: Aepipe, options: list[str], sentence: str
) -> None:
    result = aepipe("serve", *options)
    assert result.exit_code == 2
    assert result.err.count("\n") == 1
    assert sentence in result.err


@pytest.mark.parametrize(
    ("limits", "wanted", "expected"),
    [((100, 1024), "None", "768"), ((64, 300), "None", "150"), ((1024, 1024), "99", "99")],
)
def test_connections_stay_below_the_open_files(
    limits: tuple[int, int], wanted: str, expected: str
) -> None:
    program = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, {limits});"
        "from serving.settings import connections_for;"
        f"print(connections_for({wanted}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [expected, str(limits[1])]


def test_two_servers_started_at_once_on_one_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "serving", "--models-dir", str(tmp_path)]
    command += [f"--port={port}", "--grpc-port=0"]
    both = [
        subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        deadline = time.monotonic() + 90
        while all(server.poll() is None for server in both):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        (ended,) = [server for server in both if server.poll() is not None]
        assert ended.returncode == 2
        assert ended.communicate()[1] == (
            f"aepipe: cannot listen at 127.0.0.1, port {port}: is it in use? choose another with "
            "--port\n"
        )
    finally:
        for server in both:
            server.terminate()
            server.communicate(timeout=40)


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


def test_it_starts_on_an_empty_folder_and_ends_on_request(tmp_path: Path) -> None:
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
