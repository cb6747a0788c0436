import subprocess
import sys

import pytest

from tests.conftest import Aepipe

HEAVY = (
    *("tensorflow", "tfx", "apache_beam", "keras", "sklearn", "pandas", "matplotlib", "numpy"),
    *("grpc", "asyncio", "requests", "importlib.metadata", "rich"),
)


def test_the_command_line_imports_nothing_heavy_before_it_must() -> None:
    probe = (
        "import sys\nfrom pipeline.cli import main\n"
        "try:\n    main(['run', '--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr


@pytest.mark.parametrize(
    "command",
    [
        *(
            "run",
            "runs",
            "show",
            "report",
            "config",
            "data",
            "data fetch",
            "data status",
            "data sample",
        ),
        *("serve", "models list", "predict", "compile kserve"),
    ],
)
def test_each_command_has_help(command: str, aepipe: Aepipe) -> None:
    result = aepipe(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"{command} [OPTIONS]" in result.out


@pytest.mark.parametrize(
    "arguments", [["run"], ["run", "nonsense"], ["run", "basic", "--nonsense"], ["nonsense"]]
)
def test_a_mistyped_command_is_exit_code_2(arguments: list[str], aepipe: Aepipe) -> None:
    result = aepipe(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.err


def test_a_bug_is_a_traceback_and_exit_code_1() -> None:
    probe = (
        "import pipeline.run.begin\n"
        "def broken(*_):\n    raise ZeroDivisionError('a bug')\n"
        "pipeline.run.begin.resolve = lambda *a, **k: broken()\n"
        "from pipeline.cli import main\n"
        "import tempfile; main(['run', 'basic', '--home', tempfile.mkdtemp()])"
    )
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError: a bug" in result.stderr
