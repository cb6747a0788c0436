"""A chief and a worker on loopback, as processes of their own."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

LEAD = """
import json, sys, types
from trainer.train import run_fn
run_fn(types.SimpleNamespace(**json.load(sys.stdin)))
"""


class Cluster:
    """Starts the chief and a worker; whatever is left of them is ended with the test."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.file = folder / "training.json"
        self._stack = stack
        self._folder = folder
        with contextlib.ExitStack() as held:
            sockets = [held.enter_context(socket.socket()) for _ in range(2)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            chief, worker = (f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
        self.addresses = {"chief": [chief], "worker": [worker]}

    def chief(self, call: dict[str, Any], wait: int = 300) -> subprocess.Popen[str]:
        process = self._start("chief", wait, "-c", LEAD)
        assert process.stdin
        process.stdin.write(json.dumps(call))
        process.stdin.close()
        process.stdin = None
        return process

    def worker(self, file: Path | None = None, wait: int = 300) -> subprocess.Popen[str]:
        return self._start("worker", wait, "-m", "trainer.worker", "--args", file or self.file)

    def environment(self, kind: str, wait: int = 300) -> dict[str, str]:
        config = {"cluster": self.addresses, "task": {"type": kind, "index": 0}}
        return {
            "TF_CONFIG": json.dumps(config),
            "AEPIPE_WORKER_ARGS": str(self.file),
            "AEPIPE_WORKER_WAIT": str(wait),
        }

    def _start(self, kind: str, wait: int, *command: str | Path) -> subprocess.Popen[str]:
        # An empty folder, so that what a process leaves where it runs is seen.
        empty = self._folder / kind
        empty.mkdir(exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, *command],
            env=os.environ | self.environment(kind, wait) | {"TMPDIR": str(empty)},
            cwd=empty,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(process.kill)
        return process
