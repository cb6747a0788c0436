import fcntl
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline_config import SignalData, reading_settings
from tests.conftest import Aepipe, Result
from tests.pipeline.scoring.tiny_served import TinyDetector, TinyReconstructor, push

Predict = Callable[..., Result]
Predicted = Callable[..., dict[str, Any]]

COMMAND = [sys.executable, "-m", "pipeline", "predict"]
"""For a process of its own."""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A push directory; do not write to it."""
    directory = tmp_path_factory.mktemp("serving")
    push(TinyDetector(), directory, "ecg_anomaly_detector", 7)
    push(TinyReconstructor(), directory, "basic_autoencoder", 3)
    return directory


@pytest.fixture
def predict(aepipe: Aepipe, models: Path) -> Predict:
    """Runs `aepipe predict` over the tiny models."""

    def call(*arguments: str | Path, models_dir: Path = models) -> Result:
        return aepipe("predict", *arguments, "--models-dir", models_dir)

    return call


@pytest.fixture
def predicted(predict: Predict) -> Predicted:
    """Runs `aepipe predict --json`, which must end well, and returns what it printed."""

    def call(*arguments: str | Path, **options: Path) -> dict[str, Any]:
        result = predict(*arguments, "--json", **options)
        assert result.exit_code == 0, result.err
        found: dict[str, Any] = json.loads(result.out)
        return found

    return call


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Gives this process a pipe with some content as its standard input."""

    def call(content: bytes) -> None:
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1 << 20)
        os.write(writing, content)
        os.close(writing)
        monkeypatch.setattr(sys, "stdin", os.fdopen(reading))

    return call


@pytest.fixture
def read_so(tmp_path: Path) -> Callable[[SignalData], Path]:
    """Pushes a model whose run read its files in some way; returns the push directory."""

    def call(data: SignalData) -> Path:
        version = push(TinyDetector(), tmp_path / "served", "ecg_anomaly_detector", 1)
        reading = {"reading": json.loads(reading_settings(data))}
        (version / "aepipe.json").write_text(json.dumps(reading))
        return tmp_path / "served"

    return call


def mistake(result: Result) -> str:
    """The one line that a user's mistake gives."""
    assert result.exit_code == 2
    assert "Traceback" not in result.err
    (line,) = [line for line in result.err.splitlines() if line.startswith("aepipe: ")]
    return line.removeprefix("aepipe: ")
