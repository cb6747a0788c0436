"""The stages of each pipeline, kept in the output folder.

They come from the compiled pipeline, which takes TFX and so ten seconds; Airflow parses the DAG
file every half minute. So a child process compiles, once for each state of settings and code.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.fingerprint import REPOSITORY, source_fingerprint
from pipeline.home import Home
from pipeline.runners.airflow.settings import scheduled_configs, scheduled_home
from pipeline.settings import SECTIONS
from pipeline_config import PipelineConfig, section_as_dict
from serving.push_directory.durable_files import write_text

Graph = Mapping[str, list[str]]
"""Stage, in an order in which they can run -> the stages that it waits for."""


def stage_graphs(environ: Mapping[str, str]) -> dict[str, Graph]:
    """Returns the graph of each pipeline with the environment's settings.

    Raises:
        UserInputError: A setting is wrong.
        RuntimeError: The pipelines cannot be compiled; the message ends with why.
    """
    digest = _digest(scheduled_configs(environ))
    kept = Home(scheduled_home(environ)).stage_graphs / f"{digest}.json"
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, Graph] = json.loads(kept.read_text())
        return found
    graphs = _compiled_in_a_child(environ)
    # Without a place to keep them, they are compiled each time.
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_text(kept, json.dumps(graphs))
    return graphs


def compiled_graphs(environ: Mapping[str, str]) -> dict[str, Graph]:
    """Compiles the pipelines in this process and returns their graphs."""
    from pipeline.build import build_pipeline
    from pipeline.run.compiled import compile_run, stage_graph

    graphs: dict[str, Graph] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        for config in scheduled_configs(environ):
            home.prepare(config)
            pipeline = build_pipeline(
                config, data_directory=folder, data_sha256="", home=home, beam_args=()
            )
            graph = stage_graph(compile_run(pipeline, "graph"))
            graphs[config.name] = {stage: sorted(waits_for) for stage, waits_for in graph.items()}
    return graphs


def _digest(configs: list[PipelineConfig]) -> str:
    settings = {
        config.name: {name: section_as_dict(getattr(config, name)) for name in SECTIONS}
        for config in configs
    }
    code = source_fingerprint("components"), (REPOSITORY / "pipeline" / "build.py").read_text()
    return hashlib.sha256(json.dumps([settings, code]).encode()).hexdigest()


def _compiled_in_a_child(environ: Mapping[str, str]) -> dict[str, Graph]:
    child = subprocess.run(
        [sys.executable, "-m", __name__],
        cwd=REPOSITORY,
        env={**environ},
        capture_output=True,
        text=True,
    )
    if child.returncode:
        raise RuntimeError(f"the pipelines cannot be compiled: {child.stderr.strip()[-2000:]}")
    graphs: dict[str, Graph] = json.loads(child.stdout.splitlines()[-1])
    return graphs


if __name__ == "__main__":
    print(json.dumps(compiled_graphs(os.environ)))
