"""A person at a terminal sees how far it is; a program gets JSON and nothing else."""

import contextlib
import json
import os
import pty
import subprocess
import threading
from pathlib import Path

import pytest

from tests.pipeline.scoring.conftest import COMMAND
from tests.pipeline.scoring.tiny_served import as_lines, make_signals, write_csv


def on_a_terminal(arguments: list[str | Path]) -> tuple[bytes, str]:
    """Runs `aepipe predict` with standard error on a terminal; returns output and error."""
    terminal, its_side = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        # Linux answers with an error once the other side is closed.
        with contextlib.suppress(OSError):
            while data := os.read(terminal, 65536):
                shown.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    result = subprocess.run(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=its_side,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(its_side)
    reader.join()
    os.close(terminal)
    assert result.returncode == 0, shown
    return result.stdout, b"".join(shown).decode()


@pytest.mark.slow
@pytest.mark.parametrize("as_json", [False, True])
def test_a_terminal_shows_the_bytes_read_unless_json_is_asked_for(
    tmp_path: Path, models: Path, as_json: bool
) -> None:
    file = write_csv(tmp_path / "ecg.csv", as_lines(make_signals(20_000)))
    options = ["--json"] if as_json else []

    output, shown = on_a_terminal(["anomaly", file, "--models-dir", models, *options])

    if as_json:
        assert json.loads(output)["examples"] == 20_000
        assert "scoring" not in shown
    else:
        megabytes = f"/{file.stat().st_size / 1e6:.1f} MB"
        assert "scoring" in shown
        assert megabytes in shown
        assert b"20,000" in output
