"""One server with a model for each fault, and one that hangs."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.infra_validator.candidate_server import (
    ROOT,
    CandidateFault,
    CandidateServer,
    TimeLimit,
    candidate_server,
)
from components.infra_validator.client import candidate_client
from components.infra_validator.validation import ask
from tests.components.infra_validator.conftest import PATIENT
from tests.components.infra_validator.tiny_candidates import (
    FAULTY,
    IMAGE,
    SIGNAL,
    ChannelCandidate,
    ImageCandidate,
    NeverEnding,
    TinyCandidate,
    write,
)

LONGEST_REASON = 600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CandidateServer]:
    folder = tmp_path_factory.mktemp("candidates")
    write(TinyCandidate(), folder / "signals" / "1")
    write(ChannelCandidate(), folder / "channels" / "1")
    write(ImageCandidate(), folder / "images" / "1")
    for name, (write_faulty, _) in FAULTY.items():
        write_faulty(folder / name / "1")
    with candidate_server(folder, folder / "server.log") as running:
        yield running


def ask_about(server: CandidateServer, model: str, record: bytes, seconds: float = PATIENT) -> None:
    with candidate_client(server, model, TimeLimit(seconds)) as client:
        ask(client, [record])


@pytest.mark.parametrize(
    ("model", "record"),
    [("signals", SIGNAL), ("channels", SIGNAL), ("images", IMAGE)],
    ids=["signals", "channels", "images"],
)
def test_a_sound_candidate_passes(server: CandidateServer, model: str, record: bytes) -> None:
    ask_about(server, model, record)


@pytest.mark.parametrize("fault", FAULTY)
def test_a_fault_is_told_in_one_line(server: CandidateServer, fault: str) -> None:
    with pytest.raises(CandidateFault) as found:
        ask_about(server, fault, SIGNAL)
    reason = str(found.value)
    assert reason.startswith(FAULTY[fault][1])
    assert "\n" not in reason
    assert len(reason) < LONGEST_REASON


def test_a_model_that_the_server_does_not_find_is_waited_for_no_longer_than_the_limit(
    server: CandidateServer,
) -> None:
    with pytest.raises(CandidateFault, match=r"^the candidate was not loaded within 0\.5 s \("):
        ask_about(server, "absent", SIGNAL, seconds=0.5)


def test_a_candidate_that_hangs_and_a_server_that_dies(tmp_path: Path) -> None:
    write(NeverEnding(), tmp_path / "hangs" / "1")
    with candidate_server(tmp_path, tmp_path / "server.log") as server:
        with candidate_client(server, "hangs", TimeLimit(PATIENT)) as client:
            client.wait_until_loaded()
        with pytest.raises(
            CandidateFault, match=r"examples: the candidate did not answer within 1 s"
        ):
            ask_about(server, "hangs", SIGNAL, seconds=1)

        threading.Timer(0.5, os.kill, (server.pid, signal.SIGKILL)).start()
        with pytest.raises(CandidateFault, match=r"the server's process was ended by SIGKILL"):
            ask_about(server, "hangs", SIGNAL)
    assert not Path("/proc", str(server.pid)).exists()


def test_a_server_that_does_not_start_is_told_with_its_last_line(tmp_path: Path) -> None:
    with (
        candidate_server(tmp_path / "absent", tmp_path / "server.log") as server,
        pytest.raises(CandidateFault, match=r"ended with exit code 2; .*absent: no such folder"),
    ):
        server.wait_for_address(TimeLimit(PATIENT))


@pytest.mark.parametrize("given", ["0", "0,1", "", None])
def test_the_server_sees_no_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    variable = "CUDA_VISIBLE_DEVICES"
    if given is None:
        monkeypatch.delenv(variable, raising=False)
    else:
        monkeypatch.setenv(variable, given)
    monkeypatch.setenv("AEPIPE_KEPT", "1")
    with candidate_server(tmp_path, tmp_path / "log") as server:
        # Empty for a moment, while the new program replaces the forked one.
        while not (found := Path(f"/proc/{server.pid}/environ").read_bytes()):
            time.sleep(0.01)
    environment = found.split(b"\0")
    assert f"{variable}=-1".encode() in environment
    assert b"AEPIPE_KEPT=1" in environment


PARENT = """
import sys, time
from pathlib import Path
from components.infra_validator.candidate_server import candidate_server
with candidate_server(Path(sys.argv[1]), Path(sys.argv[2])) as server:
    print(server.pid, flush=True)
    time.sleep(600)
"""


def test_a_server_does_not_outlive_a_run_that_was_killed(tmp_path: Path) -> None:
    models_dir = tmp_path / "models"
    write(TinyCandidate(), models_dir / "candidate" / "1")
    arguments = [str(models_dir), str(tmp_path / "server.log")]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        server = Path("/proc", run.stdout.readline().strip())
        assert server.exists()
        run.kill()
    deadline = time.monotonic() + 60
    while server.exists() or models_dir.exists():
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.1)
