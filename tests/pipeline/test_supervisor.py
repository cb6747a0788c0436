"""A command's work ends within seconds of a signal, whatever it does meanwhile."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pipeline.supervisor import END_SIGNALS

REPOSITORY = Path(__file__).parents[2]

SECONDS = 8.0
"""More than it takes, 5 s at the most, on a machine that does other things too."""

STUBBORN = {
    "waits": "time.sleep(60)",
    "swallows what Python raises": """
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass
""",
    "holds the interpreter": "ctypes.PyDLL(None).sleep(60)",
    "has a handler of its own": """
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
time.sleep(60)
""",
    "waits for its child": "subprocess.run(['sleep', '60'])",
    "has a child in another session": """
subprocess.Popen(['sleep', '60'], start_new_session=True)
time.sleep(60)
""",
    "has a grandchild without parent": """
subprocess.run(['sh', '-c', 'setsid sleep 60 & '])
time.sleep(60)
""",
}

PROGRAM = """
import ctypes, os, signal, subprocess, sys, tempfile, time
from pipeline.supervisor import supervise, notify_supervisor

def print_it(interruption):
    print(interruption.reason, interruption.messages, flush=True)

supervise(print_it, float(sys.argv[1]))
tempfile.mkstemp()
notify_supervisor(stage="Trainer")
print("at work", flush=True)
exec(sys.argv[2])
"""


@contextmanager
def at_work(
    code: str, folder: Path, grace: float = 0.0, **options: object
) -> Iterator[subprocess.Popen[str]]:
    """A supervised program that has begun; no process of it may be left at the end."""
    folder.mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(grace), code],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "at work\n"
            time.sleep(0.2)
            family = [process.pid, *(c.pid for c in psutil.Process(process.pid).children(True))]
            yield process
        finally:
            process.kill()
    end = time.monotonic() + SECONDS
    while left := [pid for pid in family if _runs(pid)]:
        assert time.monotonic() < end, left
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    start = time.monotonic()
    said = process.communicate(timeout=60)
    assert time.monotonic() - start < SECONDS
    return said


@pytest.mark.parametrize(
    ("work", "number"),
    [
        *zip(STUBBORN, itertools.cycle(END_SIGNALS), strict=False),
        *itertools.product(["swallows what Python raises"], END_SIGNALS),
    ],
)
def test_a_signal_ends_the_work(number: signal.Signals, work: str, tmp_path: Path) -> None:
    with at_work(STUBBORN[work], tmp_path) as process:
        process.send_signal(number)
        out, err = ended(process)
        assert process.returncode == 128 + number
    assert out == f"interrupted by {number.name} [{{'stage': 'Trainer'}}]\n"
    assert err == ""
    assert list(tmp_path.iterdir()) == []


def test_a_signal_to_the_whole_group_ends_the_work(tmp_path: Path) -> None:
    with at_work("time.sleep(60)", tmp_path, start_new_session=True) as process:
        os.killpg(process.pid, signal.SIGINT)
        out, err = ended(process)
        assert process.returncode == 130
    assert out.startswith("interrupted by SIGINT")
    assert err == ""


@pytest.mark.parametrize("work", ["waits", "swallows what Python raises"])
def test_work_with_grace_cleans_up_if_it_can(work: str, tmp_path: Path) -> None:
    code = f"""
import atexit, pathlib
try:
    exec({STUBBORN[work]!r})
finally:
    time.sleep(0.3)
    pathlib.Path({str(tmp_path / "cleaned")!r}).touch()
"""
    with at_work(code, tmp_path / "tmp", grace=2.0, start_new_session=True) as process:
        os.killpg(process.pid, signal.SIGTERM)
        out, err = ended(process)
        assert process.returncode == 143
    assert out.startswith("interrupted by SIGTERM")
    assert err == ""
    assert (tmp_path / "cleaned").exists() == (work == "waits")


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("sys.exit(3)", 3, ""),
        ("pass", 0, ""),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137, "killed by SIGKILL, which the system"),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143, "interrupted by SIGTERM"),
        ("os.abort()", 1, "crashed with SIGABRT"),
    ],
)
def test_the_works_own_end(code: str, exit_code: int, said: str, tmp_path: Path) -> None:
    with at_work(f"time.sleep(0.5); {code}", tmp_path) as process:
        out, _ = ended(process)
        assert process.returncode == exit_code
    assert out.startswith(said)
    assert bool(out) == bool(said)
    assert list(tmp_path.iterdir()) == []


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """As `nohup` and a shell's `&` have it."""
    with at_work(
        "time.sleep(1); print('done')",
        tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ) as process:
        process.send_signal(signal.SIGHUP)
        out, _ = ended(process)
        assert process.returncode == 0
    assert out == "done\n"


@pytest.mark.parametrize("work", STUBBORN)
def test_nothing_outlives_a_supervisor_that_is_killed(work: str, tmp_path: Path) -> None:
    with at_work("time.sleep(60)", tmp_path) as running:
        (in_use,) = tmp_path.iterdir()
        with at_work(STUBBORN[work], tmp_path) as process:
            process.kill()
            process.wait()
        end = time.monotonic() + SECONDS
        while list(tmp_path.iterdir()) != [in_use]:
            assert time.monotonic() < end, list(tmp_path.iterdir())
            time.sleep(0.05)
        assert any(in_use.glob("tmp*")), "a folder in use was swept"
        assert running.poll() is None


def test_what_a_killed_command_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / "aepipe-tmp-left"
    left.mkdir()
    (left / ".aepipe-lock").touch()
    (left / "beam").touch()
    foreign = tmp_path / "aepipe-tmp-foreign"
    foreign.mkdir()
    with at_work("time.sleep(0.5)", tmp_path) as process:
        ended(process)
        assert process.returncode == 0
    assert list(tmp_path.iterdir()) == [foreign]


@pytest.mark.parametrize("folder", ["/dev/null/none", "/proc"])
def test_a_folder_for_temporary_files_that_cannot_be_written(folder: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "data", "sample", "-o", "/dev/null/none"],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": folder},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"aepipe: cannot write to the folder for temporary files {folder}: ")
    assert "TMPDIR" in line
