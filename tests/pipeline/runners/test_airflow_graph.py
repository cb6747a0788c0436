"""The stages that Airflow's scheduler sees come from the compiled pipeline."""

import json
import os
import sys
from pathlib import Path

import pytest

from pipeline.runners.airflow import graph


def test_a_child_process_compiles_once(tmp_path: Path) -> None:
    environ = {**os.environ, "AEPIPE_HOME": str(tmp_path)}
    graphs = graph.stage_graphs(environ)
    assert graphs == graph.compiled_graphs(environ)
    (kept,) = (tmp_path / "stage-graphs").iterdir()
    kept.write_text(json.dumps({"basic": {}}))
    # Where a schedule runs a pipeline, and when, does not change its stages.
    assert graph.stage_graphs(environ | {"AEPIPE_SET": "schedule.retries=5"}) == {"basic": {}}


def test_pipelines_that_cannot_be_compiled_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no module named tfx >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    environ = {**os.environ, "AEPIPE_HOME": str(tmp_path)}
    with pytest.raises(RuntimeError, match="cannot be compiled: no module named tfx"):
        graph.stage_graphs(environ)
