"""A process that runs a model sees no GPU, whoever starts it."""

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.child_environment import model_environment
from components.infra_validator.candidate_server import candidate_server
from components.versioned_pusher import copy_check

VARIABLE = "CUDA_VISIBLE_DEVICES"


@pytest.fixture(params=["0", "0,1", "", None], autouse=True)
def given(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is None:
        monkeypatch.delenv(VARIABLE, raising=False)
    else:
        monkeypatch.setenv(VARIABLE, request.param)


def test_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEPIPE_KEPT", "1")
    environment = model_environment(ADDED="2")
    assert environment[VARIABLE] == "-1"
    assert environment["AEPIPE_KEPT"] == "1"
    assert environment["ADDED"] == "2"
    assert "ADDED" not in os.environ


def test_the_validators_server(tmp_path: Path) -> None:
    with candidate_server(tmp_path, tmp_path / "log") as server:
        environment = Path(f"/proc/{server.pid}/environ").read_bytes().split(b"\0")
    assert f"{VARIABLE}=-1".encode() in environment


def test_the_pushers_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text(f"import os, sys; sys.exit('devices ' + os.environ[{VARIABLE!r}])")
    monkeypatch.setattr(copy_check, "PROBE", probe)

    class Original:
        signatures = {"serving_default": tf.function(lambda x: {"y": x})}

    inputs = {"x": np.zeros((1, 1), np.float32)}
    with pytest.raises(copy_check.BrokenCopyError, match="devices -1"):
        copy_check.check_copy(tmp_path, Original(), inputs)
