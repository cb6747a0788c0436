"""A candidate that the server does not answer for in time, and the setting that turns this off."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Aepipe, Result, run_command
from tests.end_to_end.conftest import SHORT_OF
from tests.end_to_end.metadata import executed, pushed_versions

MODEL = "ecg_anomaly_detector"


@pytest.mark.slow
def test_a_candidate_that_does_not_answer_in_time_is_not_pushed(
    aepipe: Aepipe, small_sample: Path, tmp_path: Path
) -> None:
    def run(*settings: str, options: tuple[str, ...] = ()) -> Result:
        given = (*SHORT_OF["anomaly"], "evaluator.baseline_tolerance=1", *settings)
        return aepipe(*run_command("anomaly", tmp_path, small_sample, given, *options))

    def run_json(*settings: str) -> tuple[int, dict[str, Any]]:
        result = run(*settings, options=("--json",))
        return result.exit_code, result.runs[0]

    code, without = run_json("infra_validator.enabled=false")
    assert code == 0
    assert without["status"] == "pushed"
    assert "InfraValidator" not in without["seconds"]
    served = pushed_versions(tmp_path, MODEL)
    assert len(served) == 1

    hurried = ("trainer.epochs=13", "infra_validator.timeout_seconds=0.5")
    for stages in (
        ["Trainer", "ThresholdEvaluator", "InfraValidator", "VersionedPusher"],
        [],
    ):
        code, refused = run_json(*hurried)
        assert code == 3
        assert refused["status"] == "not_blessed"
        assert refused["blessed"] is False
        assert refused["pushed"] is None
        assert refused["metrics"]
        (reason,) = refused["reasons"]
        assert reason.startswith("infra validator: the server did not start within 0.5 s ")
        assert "infra_validator.timeout_seconds" in reason
        assert "\n" not in reason
        (log,) = re.findall(r"the server's log is (.+/server\.log);", reason)
        assert Path(log).is_file()
        assert executed(tmp_path, refused) == stages
        assert pushed_versions(tmp_path, MODEL) == served

    reported = run(*hurried)
    assert reported.exit_code == 3
    assert "infra validator: the server did not start within 0.5 s" in reported.out
    assert "try again with --from InfraValidator" in " ".join(reported.out.split())

    code, patient = run_json("trainer.epochs=13")
    assert (code, patient["status"]) == (0, "pushed")
    assert executed(tmp_path, patient) == ["InfraValidator", "VersionedPusher"]
    assert pushed_versions(tmp_path, MODEL) == [*served, int(Path(patient["pushed"]).name)]
