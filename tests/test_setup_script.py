"""Set-up on a machine where it cannot work: one clear line, exit code 2."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
TOOLS = ("sh", "dirname", "cat", "cksum", "cut", "uname", "rm")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A clone, and a `bin` with only the tools that every system has."""
    shutil.copytree(REPOSITORY / "scripts", tmp_path / "clone" / "scripts")
    shutil.copytree(REPOSITORY / "requirements", tmp_path / "clone" / "requirements")
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path / "clone")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (tools / tool).symlink_to(found)
    return tmp_path


def _set_up(machine: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "scripts/setup.sh", "base"],
        cwd=machine / "clone",
        env={"PATH": str(machine / "bin")},
        capture_output=True,
        text=True,
    )


def _fake(machine: Path, tool: str, script: str) -> None:
    path = machine / "bin" / tool
    path.unlink(missing_ok=True)
    path.write_text(f"#!{shutil.which('sh')}\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("system", "architecture"), [("Darwin", "arm64"), ("Linux", "aarch64"), ("MINGW64", "x86_64")]
)
def test_another_platform(machine: Path, system: str, architecture: str) -> None:
    _fake(machine, "uname", f'[ "$1" = -s ] && echo {system} || echo {architecture}')
    result = _set_up(machine)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("setup: ")
    assert f"{system} on {architecture}" in line


def test_no_python(machine: Path) -> None:
    _fake(machine, "uname", '[ "$1" = -s ] && echo Linux || echo x86_64')
    result = _set_up(machine)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "python3 is missing" in line


def test_no_way_to_get_uv(machine: Path) -> None:
    _fake(machine, "uname", '[ "$1" = -s ] && echo Linux || echo x86_64')
    _fake(machine, "python3", "exit 1")
    result = _set_up(machine)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("setup: cannot install the pinned uv: ")
    assert not (machine / "clone" / ".venv").exists()


def test_nothing_unpinned_is_run_from_the_network() -> None:
    lines = (REPOSITORY / "scripts" / "setup.sh").read_text().splitlines()
    assert not [line for line in lines if re.search(r"urlopen|curl |wget |\| *sh\b", line)]
    installs = [line for line in lines if re.search(r"pip (install|sync)", line)]
    assert len(installs) >= 3
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
