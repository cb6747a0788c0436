"""How a DAG run ends badly, each run in one process by `airflow dags test`."""

import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.metadata import pushed_versions
from tests.pipeline.conftest import WAVES, write_waves
from tests.pipeline.runners.airflow_trial import DAG, DagRun, Trial
from tests.pipeline.webhook_server import Webhook

pytestmark = pytest.mark.slow


def try_out(tmp_path: Path, webhook: Webhook, *settings: str) -> tuple[Trial, DagRun]:
    trial = Trial(tmp_path, " ".join([*settings, f"schedule.webhook_url={webhook.url}"]))
    trial.command("db", "migrate")
    # It ends with an error where the run does.
    with pytest.raises(AssertionError):
        trial.command("dags", "test", DAG)
    (run,) = trial.runs()
    return trial, run


def test_a_users_mistake_fails_the_first_task_and_is_reported(
    tmp_path: Path, webhook: Webhook
) -> None:
    trial, run = try_out(tmp_path, webhook)
    assert run.state == "failed"
    assert run.state_of("choose_data") == "failed"
    assert run.state_of("Trainer") == "upstream_failed"
    (outcome,) = trial.outcomes()
    assert outcome["status"] == "failed"
    (reason,) = outcome["reasons"]
    assert reason.startswith(f"{trial.data.parent}: no such folder")
    ((_, body),) = webhook.received
    assert body == {"runs": [outcome]}


def test_a_model_that_is_not_blessed_fails_the_last_task_and_is_reported(
    tmp_path: Path, webhook: Webhook
) -> None:
    write_waves(tmp_path / "data" / "ecg")
    refusing = "evaluator.lower_bounds.recall=1.0", "evaluator.threshold_k=-10"
    trial, run = try_out(tmp_path, webhook, *WAVES, *refusing, "infra_validator.enabled=false")
    assert run.state == "failed"
    assert [task for task in run.tasks if run.state_of(task) != "success"] == ["finish"]
    (outcome,) = trial.outcomes()
    assert outcome["status"] == "not_blessed"
    assert any("recall" in reason for reason in outcome["reasons"])
    assert Path(outcome["report"]).is_file()
    assert pushed_versions(trial.home.root, "ecg_anomaly_detector") == []
    ((_, body),) = webhook.received
    assert body == {"runs": [outcome]}


def test_make_airflow_starts_a_scheduler_and_a_web_server_and_stops_them(tmp_path: Path) -> None:
    trial = Trial(tmp_path, "")
    try:
        assert "user admin, password in" in trial.command("start")
        assert '"scheduler": {' in trial.command("status")
        assert "aepipe_anomaly" in trial.command("dags", "list")
    finally:
        trial.command("stop")
    mine = str(tmp_path / "airflow")
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert [line for line in processes.splitlines() if mine in line] == []
