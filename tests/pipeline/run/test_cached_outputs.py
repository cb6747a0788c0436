"""Which results of earlier runs may still be taken: those whose files are all there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ml_metadata.proto.metadata_store_pb2 import (
    STRING,
    Artifact,
    ArtifactType,
    Context,
    ContextType,
    Event,
    Execution,
    ExecutionType,
)

from pipeline.home import Home
from pipeline.run.cached_outputs import mark_incomplete, record_outputs
from pipeline.run.lineage import run_executions
from tests.pipeline.recorded_runs import new_store
from tests.serving.push_directory.whole_version import write_pushed_version

RUN = "anomaly-20260101T000000-aaaa"

KINDS = {
    "Examples": ["Split-train/data.gz", "Split-eval/data.gz"],
    "ExampleStatistics": ["Split-train/FeatureStats.pb", "Split-eval/FeatureStats.pb"],
    "ExampleAnomalies": ["Split-train/SchemaDiff.pb", "Split-eval/SchemaDiff.pb"],
    "Schema": ["schema.pbtxt"],
    "File": ["verdict.json"],
    "TransformGraph": ["transform_fn/saved_model.pb", "transform_fn/variables/variables.index"],
    "TransformCache": [],
    "Model": ["Format-Serving/saved_model.pb", "Format-Serving/variables/variables.index"],
    "ModelRun": ["train/events.v2", "history.json"],
    "ModelEvaluation": ["evaluation.json", "errors.npz"],
    "ModelBlessing": ["BLESSED"],
    "PushedModel": [],
}
"""Kind of artifact -> its files; two kinds may be empty."""


class Recorded:
    """A run of one stage an artifact, as MLMD has it."""

    def __init__(
        self, root: Path, *kinds: str, recorded: bool = True, pushed: Path | None = None
    ) -> None:
        self.root = root
        self.home = Home(root)
        path = self.home.metadata_path("anomaly")
        path.parent.mkdir()
        self.store = new_store(path)
        self._context("pipeline_run", RUN)
        for kind in kinds:
            self._stage(kind, KINDS[kind], recorded, pushed if kind == "PushedModel" else None)

    def _context(self, kind: str, name: str) -> None:
        type_id = self.store.put_context_type(ContextType(name=kind))
        self.store.put_contexts([Context(type_id=type_id, name=name)])

    def _stage(self, kind: str, files: list[str], recorded: bool, pushed: Path | None) -> None:
        folder = self.root / kind
        folder.mkdir()
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
        kind_id = self.store.put_artifact_type(
            ArtifactType(name=kind, properties={"split_names": STRING})
        )
        artifact = Artifact(type_id=kind_id, uri=str(folder), state=Artifact.LIVE)
        if any(name.startswith("Split-") for name in files):
            artifact.properties["split_names"].string_value = '["train", "eval"]'
        if pushed:
            artifact.custom_properties["pushed_destination"].string_value = str(pushed)
        execution = Execution(
            type_id=self.store.put_execution_type(ExecutionType(name=kind)),
            last_known_state=Execution.COMPLETE,
        )
        event = Event(type=Event.OUTPUT)
        event.path.steps.add(key="output")
        self._context("node", f"anomaly.{kind}")
        contexts = [
            self.store.get_context_by_type_and_name(*named)
            for named in (("pipeline_run", RUN), ("node", f"anomaly.{kind}"))
        ]
        self.store.put_execution(
            execution, [(artifact, event)], contexts, reuse_context_if_already_exist=True
        )
        if recorded:
            record_outputs(self.store, run_executions(self.store, RUN)[kind])

    def live(self) -> set[str]:
        return {
            Path(artifact.uri).name
            for artifact in self.store.get_artifacts()
            if artifact.state == Artifact.LIVE
        }


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def without_last_file(folder: Path) -> None:
    max(path for path in folder.rglob("*") if path.is_file()).unlink()


def without_last_folder(folder: Path) -> None:
    shutil.rmtree(max(path for path in folder.rglob("*") if path.is_dir()))


def cut(folder: Path) -> None:
    next(path for path in folder.rglob("*") if path.is_file()).write_text("")


LOSSES = [
    (kind, lose)
    for kind, files in KINDS.items()
    for lose in (shutil.rmtree, emptied, without_last_file, without_last_folder, cut)
    if lose is shutil.rmtree
    or (files and (lose is not without_last_folder or any("/" in name for name in files)))
]


@pytest.mark.parametrize(
    ("kind", "lose"), LOSSES, ids=[f"{kind}-{lose.__name__}" for kind, lose in LOSSES]
)
def test_an_artifact_that_lost_files_is_taken_no_more(
    tmp_path: Path, kind: str, lose: Callable[[Path], None]
) -> None:
    other = "Model" if kind == "Schema" else "Schema"
    run = Recorded(tmp_path, kind, other)
    lose(tmp_path / kind)
    assert mark_incomplete(run.home, "anomaly") == [str(tmp_path / kind)]
    assert run.live() == {other}
    assert mark_incomplete(run.home, "anomaly") == []


def test_whole_artifacts_stay(tmp_path: Path) -> None:
    run = Recorded(tmp_path, *KINDS)
    (tmp_path / "Model" / ".DS_Store").touch()
    assert mark_incomplete(run.home, "anomaly") == []
    assert run.live() == KINDS.keys()


@pytest.mark.parametrize("lose", [emptied, without_last_folder], ids=lambda lose: lose.__name__)
def test_a_stage_without_a_note_is_judged_by_its_splits(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    run = Recorded(tmp_path, "Examples", "Schema", "PushedModel", recorded=False)
    lose(tmp_path / "Examples")
    # Without a note, an empty folder is one that lost its files.
    assert {Path(uri).name for uri in mark_incomplete(run.home, "anomaly")} == {
        "Examples",
        "PushedModel",
    }


@pytest.mark.parametrize(
    ("versions", "damaged", "taken"),
    [
        ([7], [], True),
        ([7, 9], [], True),
        ([9], [], True),
        ([], [], False),
        ([3], [], False),
        ([3, 7], [7], False),
        ([7, 9], [7], True),
        ([7, 9], [7, 9], False),
    ],
)
def test_a_push_counts_until_its_version_is_gone_or_damaged(
    tmp_path: Path, versions: list[int], damaged: list[int], taken: bool
) -> None:
    model = tmp_path / "serving" / "ecg"
    for version in versions:
        write_pushed_version(model / str(version))
    for version in damaged:
        (model / str(version) / "saved_model.pb").write_text("another graph")
    run = Recorded(tmp_path, "PushedModel", pushed=model / "7")
    mark_incomplete(run.home, "anomaly")
    assert ("PushedModel" in run.live()) == taken


def test_there_is_nothing_to_mark_before_the_first_run(tmp_path: Path) -> None:
    assert mark_incomplete(Home(tmp_path), "anomaly") == []
    assert list(tmp_path.iterdir()) == []
