"""Runs as `aepipe run` and TFX record them, made without either."""

import json
from collections.abc import Sequence
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto.metadata_store_pb2 import (
    Artifact,
    ArtifactType,
    Association,
    Attribution,
    ConnectionConfig,
    Context,
    ContextType,
    Event,
    Execution,
    ExecutionType,
    SqliteMetadataSourceConfig,
)

from data.facts import DataFacts, SpanFacts
from pipeline.home import Home
from pipeline.run.outcome import RunOutcome, Status, write_outcome

MODEL = "ecg_anomaly_detector"
STAGES = {"ExampleGen": "examples", "Trainer": "model", "ThresholdEvaluator": "blessing"}


def new_store(path: Path) -> MetadataStore:
    """Opens a metadata file, which is made if it is missing."""
    config = ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return MetadataStore(config)


class RecordedRuns:
    """Records runs of `anomaly` in a home, oldest first."""

    def __init__(self, home: Home) -> None:
        self.home = home
        home.metadata_path("anomaly").parent.mkdir(parents=True)
        self.store = new_store(home.metadata_path("anomaly"))
        self._run_type = self.store.put_context_type(ContextType(name="pipeline_run"))
        self._execution_type = self.store.put_execution_type(ExecutionType(name="stage"))
        self._artifact_type = self.store.put_artifact_type(ArtifactType(name="output"))
        self._count = 0

    def add(
        self,
        status: Status | None,
        *,
        cached: Sequence[Artifact] = (),
        stages: Sequence[str] = tuple(STAGES),
        version: int | None = None,
        span: int | None = None,
    ) -> tuple[str, list[Artifact]]:
        """Records a run.

        Args:
            status: How it ended; None if it was killed.
            cached: Outputs that it took from an earlier run.
            stages: Stages that it ran.
            version: The version that it pushed.
            span: The newest span that it read.

        Returns:
            Its name and its own outputs.
        """
        self._count += 1
        run_id = f"anomaly-202601{self._count:02}T000000-abcd"
        context = Context(type_id=self._run_type, name=run_id)
        (context_id,) = self.store.put_contexts([context])
        for artifact in cached:
            execution = self._execution(context_id, Execution.CACHED)
            self._output(execution, artifact.id)
        own = [self._stage(context_id, stage, status is None) for stage in stages]
        folder = self.home.runs / run_id
        folder.mkdir(parents=True)
        (folder / "log.txt").write_text("log")
        if version is not None:
            directory = self.home.push_root / MODEL / str(version)
            directory.mkdir(parents=True)
            (directory / "saved_model.pb").touch()
            manifest = {"pipeline": "anomaly", "run_id": run_id}
            (directory / "aepipe.json").write_text(json.dumps(manifest))
        if status is not None:
            facts = None
            if span is not None:
                facts = DataFacts("given", "/d", "0", spans=[SpanFacts(span, str(span), None, "0")])
            blessed = {"pushed": True, "unchanged": True, "not_blessed": False}.get(status)
            write_outcome(
                RunOutcome("anomaly", run_id, status, data=facts, blessed=blessed), folder
            )
        return run_id, own

    def _stage(self, context_id: int, stage: str, killed: bool) -> Artifact:
        execution = self._execution(context_id, Execution.FAILED if killed else Execution.COMPLETE)
        folder = self.home.artifacts("anomaly") / stage
        output = folder / STAGES[stage] / str(execution)
        output.mkdir(parents=True)
        (output / "content").write_bytes(bytes(1000))
        (folder / ".system" / "executor_execution" / str(execution)).mkdir(parents=True)
        artifact = Artifact(type_id=self._artifact_type, uri=str(output), state=Artifact.LIVE)
        if killed:
            artifact.state = Artifact.PENDING
        (artifact.id,) = self.store.put_artifacts([artifact])
        self._output(execution, artifact.id)
        self.store.put_attributions_and_associations(
            [Attribution(artifact_id=artifact.id, context_id=context_id)], []
        )
        return artifact

    def _execution(self, context_id: int, state: "Execution.State.ValueType") -> int:
        (execution,) = self.store.put_executions(
            [Execution(type_id=self._execution_type, last_known_state=state)]
        )
        self.store.put_attributions_and_associations(
            [], [Association(execution_id=execution, context_id=context_id)]
        )
        return int(execution)

    def _output(self, execution: int, artifact: int) -> None:
        event = Event(type=Event.OUTPUT, execution_id=execution, artifact_id=artifact)
        event.path.steps.add().key = "output"
        self.store.put_events([event])

    def live(self, artifacts: Sequence[Artifact]) -> list[bool]:
        """Whether each artifact is live in MLMD and its folder is there; both or neither."""
        rows = self.store.get_artifacts_by_id([artifact.id for artifact in artifacts])
        there = [Path(row.uri).is_dir() for row in rows]
        assert [row.state != Artifact.DELETED for row in rows] == there
        return there
