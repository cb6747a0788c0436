"""Runs after somebody changed what is served: what they print, and what is recorded of them."""

from pathlib import Path

import pytest

from pipeline.home import Home
from pipeline.run.history import past_runs
from pipeline.run.lineage import lineage, open_store
from pipeline.run.outcome import RunOutcome
from serving.push_directory.model_versions import served_version
from tests.conftest import Aepipe
from tests.pipeline.conftest import WAVES, run_once, write_waves
from tests.pipeline.models.conftest import MODEL


@pytest.mark.slow
def test_a_run_says_where_its_result_is_not_what_is_served(tmp_path: Path, aepipe: Aepipe) -> None:
    home = Home(tmp_path / "home")
    waves = write_waves(tmp_path / "ecg")

    def run(*settings: str) -> RunOutcome:
        return run_once("anomaly", home, waves, *WAVES, *settings)

    def models(*arguments: str) -> None:
        command, *rest = arguments
        result = aepipe("models", command, MODEL, *rest, "--home", home.root)
        assert (result.exit_code, result.err) == (0, "")

    changed = ("evaluator.threshold_k=1.1", "evaluator.baseline_tolerance=9")
    first, second = run(), run(*changed)
    assert (first.status, first.notices) == ("pushed", [])
    assert (second.status, second.notices) == ("pushed", [])
    old, new = (Path(str(outcome.pushed)).name for outcome in (first, second))
    folder = home.push_root / MODEL

    models("rollback")
    again = run(*changed)
    assert (again.status, again.pushed) == ("unchanged", second.pushed)
    assert again.notices == [
        f"this result was pushed as {new}, which was rolled back: {old} is served; "
        f"restore it with aepipe models rollback {MODEL} --to {new}"
    ]
    models("rollback", "--to", new)
    assert run(*changed).notices == []
    assert run().notices == [
        f"this result was pushed as {old}, which is older than what is served, {new}; "
        "push it again with --from VersionedPusher"
    ]

    models("pin", old)
    assert run(*changed).notices == [
        f"this result was pushed as {new}, which is not what is served: {old} is pinned; "
        f"pin it with aepipe models pin {MODEL} {new}"
    ]
    fresh = run(*changed, "pusher.warmup_requests=3")
    assert fresh.status == "pushed"
    assert fresh.notices == [
        f"this result was pushed as {Path(str(fresh.pushed)).name}, which is not what is served: "
        f"{old} is pinned; pin it with aepipe models pin {MODEL} {Path(str(fresh.pushed)).name}"
    ]
    models("unpin")
    models("prune", "--keep", "1")
    assert served_version(folder) == int(Path(str(fresh.pushed)).name)
    assert run().notices == [
        f"this result was pushed as {old}, which is not there any more; "
        "push it again with --from VersionedPusher"
    ]

    # What was changed by hand is in MLMD, and is no run.
    store = open_store(home, "anomaly")
    (rollback, restore) = store.get_executions_by_type("aepipe.ModelRollback")
    inputs = store.get_artifacts_by_id(
        [event.artifact_id for event in store.get_events_by_execution_ids([rollback.id])]
    )
    assert {artifact.custom_properties["pushed_version"].string_value for artifact in inputs} == {
        old,
        new,
    }
    assert restore.custom_properties["to_version"].int_value == int(new)
    assert len(past_runs(home)) == 8
    reported = lineage(home, second.run_id)
    assert reported["pushed_version"] == new
    assert [stage["stage"] for stage in reported["stages"]][-1] == "VersionedPusher"
