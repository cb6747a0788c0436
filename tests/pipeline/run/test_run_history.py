"""Past runs and the lineage of one."""

import json
import shutil
from pathlib import Path

import pytest

from data.facts import DataFacts
from pipeline.fingerprint import source_fingerprint
from pipeline.home import Home
from pipeline.run.history import find_run, past_runs
from pipeline.run.lineage import lineage
from pipeline.run.outcome import RunOutcome, outcome_from_dict, write_outcome
from pipeline_config import UserInputError
from tests.end_to_end.metadata import STAGES


def keep(home: Home, run_id: str, **values: object) -> RunOutcome:
    outcome = RunOutcome(run_id.partition("-")[0], run_id, "failed", **values)  # type: ignore[arg-type]
    directory = home.runs / run_id
    directory.mkdir(parents=True)
    write_outcome(outcome, directory)
    return outcome


def test_an_outcome_survives_json() -> None:
    outcome = RunOutcome(
        "anomaly",
        "anomaly-20260101T000000-ab12",
        "not_blessed",
        data=DataFacts("given", "/data", "0" * 64, {"train": 8, "eval": 2}),
        metrics={"accuracy": 0.5, "precision": None},
        threshold=0.25,
        blessed=False,
        reasons=["accuracy 0.5 is below the lower bound 0.85"],
        seconds={"total": 1.5},
        cached=["ExampleGen"],
    )
    assert outcome_from_dict(json.loads(json.dumps(outcome.as_dict()))) == outcome


def test_an_outcome_of_another_version_is_read_as_far_as_it_goes() -> None:
    outcome = outcome_from_dict(
        {"pipeline": "basic", "run_id": "basic-1", "status": "failed", "of_tomorrow": 1}
    )
    assert outcome == RunOutcome("basic", "basic-1", "failed")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"pipeline": "basic", "run_id": "basic-1"},
        {"pipeline": "basic", "run_id": "basic-1", "status": "lost"},
        {"pipeline": "basic", "run_id": "../basic-1", "status": "failed"},
        {"pipeline": "basic", "run_id": "basic-1", "status": "failed", "data": [1]},
        ["not", "an", "object"],
    ],
)
def test_what_is_no_outcome_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match="not the outcome of a run"):
        outcome_from_dict(values)  # type: ignore[arg-type]


def test_runs_of_all_pipelines_are_listed_newest_first(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for run_id in (
        "denoise-20260101T000000-aaaa",
        # Its clock was wrong, and was then put right.
        "basic-20370102T000000-aaaa",
        "anomaly-20260103T000000-aaaa",
    ):
        keep(home, run_id)
    assert [outcome.pipeline for outcome in past_runs(home)] == ["anomaly", "basic", "denoise"]
    copied = Home(tmp_path / "copy")
    shutil.copytree(home.runs, copied.runs, copy_function=shutil.copyfile)
    assert past_runs(copied) == past_runs(home)


def test_runs_of_before_there_were_numbers_come_last(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for run_id in ("basic-20370102T000000-aaaa", "anomaly-20370103T000000-aaaa"):
        path = write_outcome(keep(home, run_id), home.runs / run_id)
        values = json.loads(path.read_text())
        del values["number"]
        path.write_text(json.dumps(values))
    keep(home, "denoise-20260101T000000-aaaa")
    assert [outcome.pipeline for outcome in past_runs(home)] == ["denoise", "anomaly", "basic"]


def test_a_run_keeps_its_number_when_it_is_recorded_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = keep(home, "basic-20260102T000000-aaaa")
    second = keep(home, "basic-20260101T000000-aaaa")
    write_outcome(first, home.runs / first.run_id)
    assert past_runs(home) == [second, first]


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"pipeline": "basic"}'])
def test_a_run_without_a_readable_outcome_is_left_out(content: str | None, tmp_path: Path) -> None:
    home = Home(tmp_path)
    kept = keep(home, "basic-20260102T000000-aaaa")
    broken = home.runs / "basic-20260103T000000-bbbb"
    broken.mkdir()
    if content is not None:
        (broken / "run.json").write_text(content)
    assert past_runs(home) == [kept]


def test_there_are_no_runs_in_a_new_folder(tmp_path: Path) -> None:
    home = Home(tmp_path / "none")
    assert past_runs(home) == []
    with pytest.raises(UserInputError, match="holds none"):
        find_run(home, "basic-1")


def test_an_unknown_run_is_answered_with_the_nearest(tmp_path: Path) -> None:
    home = Home(tmp_path)
    keep(home, "basic-20260102T000000-aaaa")
    keep(home, "anomaly-20260103T000000-aaaa")
    for wrong in ("basic-20260102T000000-aaab", "basic"):
        with pytest.raises(
            UserInputError, match="did you mean basic-20260102T000000-aaaa"
        ) as raised:
            lineage(home, wrong)
        assert len(str(raised.value).splitlines()) == 1


def test_a_run_that_never_reached_mlmd_has_an_outcome_and_no_stages(tmp_path: Path) -> None:
    home = Home(tmp_path)
    kept = keep(home, "basic-20260102T000000-aaaa", reasons=["no such folder"])
    found = lineage(home, kept.run_id)
    assert found["outcome"]["reasons"] == ["no such folder"]
    assert found["stages"] == []
    assert found["data"]["directory"] is None
    assert found["pushed_version"] is None


def test_the_lineage_of_a_pushed_run(home: Home, waves: Path, pushed: RunOutcome) -> None:
    assert pushed.status == "pushed", pushed.reasons
    found = lineage(home, pushed.run_id)
    assert json.loads(json.dumps(found)) == found
    assert found["outcome"] == pushed.as_dict()
    assert found["data"]["directory"] == str(waves)
    assert pushed.data is not None
    assert found["data"]["sha256"] == pushed.data.sha256
    assert found["data"]["span"] == 0
    assert pushed.data.files == 1
    assert found["data"]["input_fingerprint"]
    assert found["config"]["Trainer"]["custom_config"]["config"]["trainer"]["epochs"] == 8
    assert found["config"]["ThresholdEvaluator"]["config"]["gate"]["threshold_k"] == 1.0
    assert found["config"]["InfraValidator"]["config"]["requests"] == 1
    assert found["config"]["VersionedPusher"]["config"]["model_name"] == "ecg_anomaly_detector"
    assert found["code"] == {
        "ExampleGen": source_fingerprint("components/example_gen", "data/formats"),
        "DataGate": source_fingerprint("components/data_gate"),
        "Transform": source_fingerprint("components/preprocessing"),
        "Trainer": source_fingerprint("trainer"),
        "ThresholdEvaluator": source_fingerprint("components/threshold_evaluator"),
        "InfraValidator": source_fingerprint("components/infra_validator", "serving"),
        "VersionedPusher": source_fingerprint(
            "components/versioned_pusher", "serving/push_directory"
        ),
    }
    assert found["blessed"] is True
    assert found["metrics"] == pushed.metrics
    assert pushed.pushed is not None
    assert found["pushed_version"] == Path(pushed.pushed).name


def test_the_stages_of_a_pushed_run(home: Home, pushed: RunOutcome) -> None:
    stages = lineage(home, pushed.run_id)["stages"]
    assert sorted(stage["stage"] for stage in stages) == sorted(STAGES)
    assert {stage["state"] for stage in stages} == {"COMPLETE"}
    ids = [stage["execution_id"] for stage in stages]
    assert ids == sorted(set(ids))
    uris = [uri for stage in stages for uri in stage["outputs"].values()]
    assert len(uris) > 10
    assert all(Path(uri).exists() for uri in uris)


def test_an_unchanged_run_leads_to_the_artifacts_of_the_first(
    home: Home, pushed: RunOutcome, unchanged: RunOutcome
) -> None:
    first, second = lineage(home, pushed.run_id), lineage(home, unchanged.run_id)
    states = {stage["stage"]: stage["state"] for stage in second["stages"]}
    # A resolver always looks anew.
    assert {state for name, state in states.items() if name != "BaselineResolver"} == {"CACHED"}
    assert [stage["outputs"] for stage in first["stages"]] == [
        stage["outputs"] for stage in second["stages"]
    ]
    for key in ("data", "config", "code", "metrics", "pushed_version"):
        assert first[key] == second[key], key


def test_a_refused_run_ends_at_the_gate(home: Home, data_refused: RunOutcome) -> None:
    found = lineage(home, data_refused.run_id)
    states = {stage["stage"]: stage["state"] for stage in found["stages"]}
    assert states["DataGate"] == "FAILED"
    assert states["ExampleGen"] == "COMPLETE"
    assert "Trainer" not in states
    assert found["blessed"] is None
    assert found["data"]["directory"] == data_refused.data.directory  # type: ignore[union-attr]
    assert (found["data"]["span"], found["data"]["version"]) == (3, 2)
