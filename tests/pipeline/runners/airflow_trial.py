"""A real scheduler in a folder of its own, and what its database holds."""

import contextlib
import dataclasses
import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pipeline.home import Home
from pipeline.run.lineage import open_store, run_executions
from pipeline.run.outcome import NUMBER_KEY

REPOSITORY = Path(__file__).parents[3]
DAG = "aepipe_anomaly"
PATIENCE_SECONDS = 1_800.0

Found = TypeVar("Found")


@dataclasses.dataclass(frozen=True)
class DagRun:
    """A DAG run and its tasks: state, number of tries, process."""

    run_id: str
    run_type: str
    state: str
    tasks: dict[str, tuple[str, int, int]]

    @property
    def ended(self) -> bool:
        return self.state in ("success", "failed")

    def state_of(self, task: str) -> str:
        return self.tasks[task][0]

    def tries_of(self, task: str) -> int:
        return self.tasks[task][1]

    def process_of(self, task: str) -> int:
        return self.tasks[task][2]


@dataclasses.dataclass(frozen=True)
class Trial:
    """Airflow on SQLite.

    Attributes:
        root: Holds Airflow's home, aepipe's output folder and the data directory.
        settings: Content of `AEPIPE_SET`.
    """

    root: Path
    settings: str

    @property
    def home(self) -> Home:
        return Home(self.root / "output")

    @property
    def data(self) -> Path:
        return self.root / "data" / "ecg"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "AIRFLOW_HOME": str(self.root / "airflow"),
            "AEPIPE_HOME": str(self.home.root),
            "AEPIPE_DATA": str(self.data.parent),
            "AEPIPE_SET": self.settings,
        }

    def command(self, *arguments: str) -> str:
        """Runs `scripts/airflow.sh` and returns what it printed."""
        result = subprocess.run(
            ["sh", "scripts/airflow.sh", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    @contextlib.contextmanager
    def scheduler(self) -> Iterator[None]:
        """Runs the scheduler while the context is open."""
        with (self.root / "scheduler.log").open("w") as log:
            process = subprocess.Popen(
                ["sh", "scripts/airflow.sh", "scheduler", "--skip-serve-logs"],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
            try:
                yield
            finally:
                process.terminate()
                process.wait(timeout=300)

    def runs(self) -> list[DagRun]:
        """DAG runs, oldest first."""
        rows = self._rows(
            "SELECT run_id, run_type, state FROM dag_run WHERE dag_id = ? ORDER BY id", DAG
        )
        return [DagRun(*row, tasks=self._tasks(row[0])) for row in rows]

    def _tasks(self, run: str) -> dict[str, tuple[str, int, int]]:
        rows = self._rows(
            "SELECT task_id, state, try_number, pid FROM task_instance"
            " WHERE dag_id = ? AND run_id = ?",
            DAG,
            run,
        )
        return {task: (state, tries, pid) for task, state, tries, pid in rows}

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        path = f"file:{self.root}/airflow/airflow.db?mode=ro"
        with contextlib.closing(sqlite3.connect(path, uri=True, timeout=60)) as database:
            return database.execute(query, values).fetchall()

    def log(self, run: DagRun, task: str, attempt: int = 1) -> str:
        """Log of one try of a task."""
        folder = self.root / "airflow" / "logs" / f"dag_id={DAG}"
        return (folder / f"run_id={run.run_id}/task_id={task}/attempt={attempt}.log").read_text()

    def wait(self, look: Callable[[], Found | None], what: str) -> Found:
        """Looks until there is something."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.3)
        raise AssertionError(f"no {what} within {PATIENCE_SECONDS} s: {self.runs()[-2:]}")

    def outcomes(self) -> list[dict[str, Any]]:
        """What the runs that have ended wrote into aepipe's home, oldest first."""
        files = sorted(self.home.runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime)
        records = [json.loads(file.read_text()) for file in files]
        outcomes = [record for record in records if "failures" not in record]
        # The order of the records is no part of what came of a run.
        return [{k: v for k, v in one.items() if k != NUMBER_KEY} for one in outcomes]

    def executions(self, run_id: str, stage: str) -> list[int]:
        """States of a stage's executions in MLMD."""
        if not self.home.metadata_path("anomaly").exists():
            return []
        store = open_store(self.home, "anomaly")
        executions = run_executions(store, run_id).get(stage, [])
        return [execution.last_known_state for execution in executions]
