"""LocalDagRunner runs: which baseline a candidate meets, and what an unchanged run does."""

from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types.channel import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing, ModelEvaluation

from components.blessed_model_resolver import LatestBlessedModelBefore


@component
def Train(model: OutputArtifact[Model], seed: Parameter[int]) -> None:  # noqa: N802
    Path(model.uri).mkdir(parents=True, exist_ok=True)
    Path(model.uri, "weights").write_text(str(seed))


@component
def Judge(  # noqa: N802
    model: InputArtifact[Model],
    judged_model: OutputArtifact[Model],
    blessing: OutputArtifact[ModelBlessing],
    evaluation: OutputArtifact[ModelEvaluation],
    blessed: Parameter[int],
    baseline_model: InputArtifact[Model] = None,
) -> None:
    for uri in (judged_model.uri, blessing.uri, evaluation.uri):
        Path(uri).mkdir(parents=True, exist_ok=True)
    weights = Path(model.uri, "weights").read_text()
    Path(judged_model.uri, "weights").write_text(weights)
    baseline = Path(baseline_model.uri, "weights").read_text() if baseline_model else "none"
    Path(evaluation.uri, "baseline").write_text(baseline)
    blessing.set_int_custom_property("blessed", blessed)
    blessing.set_string_custom_property("judged_model", judged_model.uri)


class Runs:
    """One pipeline on one metadata file, run again and again."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._connection = metadata.sqlite_metadata_connection_config(str(home / "mlmd.sqlite"))

    def run(self, *, seed: int, blessed: bool = True) -> None:
        train = Train(seed=seed)
        baseline = Resolver(
            strategy_class=LatestBlessedModelBefore,
            before=train.outputs["model"],
            model=Channel(type=Model),
            model_blessing=Channel(type=ModelBlessing),
        ).with_id("BaselineResolver")
        judge = Judge(
            model=train.outputs["model"],
            baseline_model=baseline.outputs["model"],
            blessed=int(blessed),
        )
        LocalDagRunner().run(
            Pipeline(
                pipeline_name="resolver",
                pipeline_root=str(self._home / "artifacts"),
                components=[train, baseline, judge],
                enable_cache=True,
                metadata_connection_config=self._connection,
            )
        )

    def baselines(self) -> list[str]:
        """What each execution of Judge was compared with, in order."""
        with metadata.Metadata(self._connection) as handle:
            evaluations = handle.store.get_artifacts_by_type("ModelEvaluation")
        return [
            Path(evaluation.uri, "baseline").read_text()
            for evaluation in sorted(evaluations, key=lambda evaluation: evaluation.id)
        ]

    def states(self, node: str) -> list[str]:
        with metadata.Metadata(self._connection) as handle:
            executions = handle.store.get_executions()
            types = {kind.id: kind.name for kind in handle.store.get_execution_types()}
        state = metadata_store_pb2.Execution.State
        return [
            state.Name(execution.last_known_state)
            for execution in sorted(executions, key=lambda execution: execution.id)
            if types[execution.type_id].endswith(node)
        ]


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_a_candidate_meets_the_latest_blessed_model_before_it(runs: Runs) -> None:
    runs.run(seed=1)
    runs.run(seed=1)
    assert runs.states("Judge") == ["COMPLETE", "CACHED"]

    runs.run(seed=2, blessed=False)
    runs.run(seed=3)

    assert runs.baselines() == ["none", "1", "1"]


def test_other_channel_names_are_refused() -> None:
    with pytest.raises(ValueError, match="before"):
        LatestBlessedModelBefore().resolve_artifacts(None, {"model": [], "model_blessing": []})
