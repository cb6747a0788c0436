"""Scripts in benchmarks/, whose folder is the first that Python looks for modules in."""

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SCRIPTS = sorted(path.stem for path in REPOSITORY.glob("benchmarks/*.py"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_hides_no_module(script: str) -> None:
    ours = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")} | {"pipeline_config"}
    assert script not in ours | sys.stdlib_module_names


def test_there_are_scripts() -> None:
    assert {"scale", "server", "training"} <= set(SCRIPTS)
