"""The command `aepipe` as a test sees it: arguments in, exit code and output out."""

import dataclasses
import fcntl
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

from data.sample import write_sample
from pipeline.beam_profiles import FLINK_JOB_SERVER
from pipeline.cli import main
from pipeline.settings import configured
from pipeline_config import PIPELINES

SMALL = (
    "data.sample_rows=1000",
    "data.sample_train=600",
    "data.sample_eval=200",
)
"""Enough to train on for a few epochs in a second or two."""


@dataclasses.dataclass(frozen=True)
class Result:
    exit_code: int
    out: str
    err: str

    @property
    def runs(self) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = json.loads(self.out)["runs"]
        return runs


Aepipe = Callable[..., Result]


def run_command(
    pipeline: str, home: Path, data: Path, settings: Iterable[str] = (), *more: str
) -> list[str]:
    """Returns the arguments of a run."""
    pairs = (part for setting in settings for part in ("--set", setting))
    return ["run", pipeline, "--home", str(home), "--data-dir", str(data), *pairs, *more]


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes are named by their argument: gzip holds the time, and xdist compares the names."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session", autouse=True)
def no_arguments_of_pytest() -> None:
    """TFX's Beam executors read `sys.argv` as absl's flags: `-v` would be a verbosity there."""
    del sys.argv[1:]


@pytest.fixture(scope="session", autouse=True)
def signals_as_in_a_terminal() -> None:
    """`nohup`, or a script's `&`, lets the tests and all that they start ignore some signals."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def no_network_and_no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AEPIPE_OFFLINE", "1")
    for variable in ("AEPIPE_HOME", "AEPIPE_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    yield
    PIPELINES.use_built_in()


@pytest.fixture
def aepipe(capfd: pytest.CaptureFixture[str]) -> Aepipe:
    """Runs the command in this process, so that TensorFlow is imported once for all tests."""

    def call(*arguments: str | Path) -> Result:
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        code = stopped.value.code
        return Result(code if isinstance(code, int) else 0, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def small_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with small samples for all pipelines; do not write to it."""
    directory = tmp_path_factory.mktemp("data")
    for config in configured(list(PIPELINES), SMALL):
        write_sample(config, directory)
    return directory


@pytest.fixture(scope="session")
def flink_job_server() -> Path:
    """What `make flink` gets; tests of several processes may want it at the same time."""
    if not shutil.which("java"):
        pytest.skip("there is no Java on this machine")
    FLINK_JOB_SERVER.parent.mkdir(exist_ok=True)
    with (FLINK_JOB_SERVER.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        got = subprocess.run(
            ["sh", "scripts/flink.sh", "get"],
            cwd=FLINK_JOB_SERVER.parents[1],
            capture_output=True,
            text=True,
        )
    if got.returncode:
        pytest.skip(f"no Flink job server: {got.stderr.strip().splitlines()[-1]}")
    return FLINK_JOB_SERVER


class FolderScheduling(LoadScopeScheduling):
    """Gives the tests of a folder, which share costly fixtures, to one of xdist's processes.

    `tests/end_to_end` takes as long as all others together, so each of its modules goes by itself.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = Path(nodeid.partition("::")[0])
        return str(module if module.parent.name == "end_to_end" else module.parent)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    # In the order of `pytest_collection_modifyitems`, not the folder with the most tests first.
    config.option.loadscopereorder = False
    return FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the longest, so that all processes end at about the same time."""
    items.sort(key=lambda item: "end_to_end" not in item.path.parts)
