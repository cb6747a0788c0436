"""One point of `scale.py`: ExampleGen, Transform and scoring of a folder's rows, in this process.

    python benchmarks/scale_point.py PROFILE DATA MODEL HOME

Prints its seconds by stage and the examples scored, as JSON.
"""

import json
import sys
import time
from pathlib import Path

import apache_beam as beam
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.types.standard_artifacts import Examples

from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.scores import ScoreShards, list_shards, read_scores
from pipeline.beam_profiles import beam_arguments
from pipeline.build import build_pipeline
from pipeline.home import Home
from pipeline.run.compiled import compile_run, only_stage
from pipeline.run.log import logs_to_file
from pipeline_config import ANOMALY, UserInputError

STAGES = ("ExampleGen", "SchemaGen", "Transform")


def run_point(profile: str, data: Path, model: str, root: Path) -> dict[str, object]:
    """Runs the stages, in this process, and returns their seconds and the examples scored."""
    try:
        beam_args = beam_arguments(profile)
    except UserInputError as fault:
        sys.exit(str(fault))
    with logs_to_file(root / "log.txt", verbose=False):
        seconds = ingest_and_transform(data, root, beam_args)
        start = time.monotonic()
        scored = score(root, model, beam_args)
        seconds["scoring"] = time.monotonic() - start
    return {
        "seconds": {stage: round(value, 2) for stage, value in seconds.items()},
        "total_s": round(sum(seconds.values()), 2),
        "scored": scored,
    }


def ingest_and_transform(data: Path, root: Path, beam_args: list[str]) -> dict[str, float]:
    """Runs ExampleGen and Transform of the `anomaly` pipeline and returns their seconds."""
    home = Home(root)
    home.prepare(ANOMALY)
    pipeline = build_pipeline(
        ANOMALY,
        data_directory=str(data / "ecg"),
        data_sha256="",
        home=home,
        beam_args=beam_args,
        cache=False,
    )
    compiled = compile_run(pipeline, "scale")
    wanted = [node for node in compiled.nodes if node.pipeline_node.node_info.id in STAGES]
    del compiled.nodes[:]
    seconds = {}
    for node in wanted:
        for neighbours in (node.pipeline_node.upstream_nodes, node.pipeline_node.downstream_nodes):
            kept = [name for name in neighbours if name in STAGES]
            neighbours[:] = kept
        compiled.nodes.append(node)
    for node in wanted:
        stage = node.pipeline_node.node_info.id
        start = time.monotonic()
        LocalDagRunner().run_with_ir(only_stage(compiled, stage))
        seconds[stage] = time.monotonic() - start
    return seconds


def score(root: Path, model: str, beam_args: list[str]) -> dict[str, int]:
    """Scores both splits as the evaluator does and returns how many examples each has."""
    examples = Examples()
    (folder,) = Home(root).artifacts(ANOMALY.name).glob("ExampleGen/examples/*")
    examples.uri, examples.split_names = str(folder), '["train", "eval"]'
    output = str(root / "scores")
    shards = {split: list_shards([examples], split, output) for split in ("train", "eval")}
    files = [*shards["train"], *shards["eval"]]
    config = EvaluationConfig.from_pipeline(ANOMALY)
    with beam.Pipeline(argv=beam_args) as pipeline:
        _ = pipeline | ScoreShards(files, model, "", config)
    return {split: len(read_scores(of_split).error) for split, of_split in shards.items()}


if __name__ == "__main__":
    given_profile, given_data, given_model, home_folder = sys.argv[1:]
    print(json.dumps(run_point(given_profile, Path(given_data), given_model, Path(home_folder))))
