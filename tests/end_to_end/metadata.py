"""What a test asks MLMD, in the style of TFX's own end-to-end tests."""

from pathlib import Path

from ml_metadata.proto.metadata_store_pb2 import Execution

from pipeline.home import Home
from pipeline.run.lineage import open_store, run_executions

STAGES = [
    "ExampleGen",
    "SchemaGen",
    "StatisticsGen",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "Trainer",
    "BaselineResolver",
    "ThresholdEvaluator",
    "InfraValidator",
    "VersionedPusher",
]


def executed(home: Path, run: dict[str, str]) -> list[str]:
    """Stages of a run that did work, in order; a resolver always looks anew and is left out."""
    store = open_store(Home(home), run["pipeline"])
    executions = run_executions(store, run["run_id"])
    return [
        stage
        for stage in STAGES
        if stage != "BaselineResolver"
        and any(
            execution.last_known_state == Execution.COMPLETE
            for execution in executions.get(stage, [])
        )
    ]


def states(home: Path, pipeline: str) -> set[int]:
    """States of all executions of a pipeline."""
    store = open_store(Home(home), pipeline)
    return {execution.last_known_state for execution in store.get_executions()}


def pushed_versions(home: Path, model: str) -> list[int]:
    """Versions a server would see, ascending."""
    return sorted(
        int(path.name) for path in (home / "serving" / model).iterdir() if path.name.isdigit()
    )
