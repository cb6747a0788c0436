"""A bad end is posted to a real HTTP server; one that does not answer is no reason to fail."""

import dataclasses
import io
import json
from pathlib import Path

import pytest

from pipeline.run.outcome import RunOutcome, Status
from pipeline.run.webhook import post_outcome
from pipeline.runners.local import RunRequest, run_pipelines
from pipeline_config import ScheduleConfig
from tests.conftest import Aepipe, Result
from tests.pipeline.webhook_server import Webhook


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.run.webhook.DELAY_SECONDS", 0.0)


RUN = RunOutcome(
    pipeline="anomaly",
    run_id="anomaly-20240531T031500-0a1b",
    status="data_refused",
    reasons=["eval: feature 'signal' has a value of 1e+09"],
)


def test_what_is_posted_is_what_run_json_prints(webhook: Webhook) -> None:
    assert post_outcome(RUN, ScheduleConfig(webhook_url=webhook.url)) is None
    ((path, body),) = webhook.received
    assert path == "/hook?token=secret"
    assert body == {"runs": [RUN.as_dict()]}


@pytest.mark.parametrize(
    ("status", "posted"),
    [
        ("pushed", False),
        ("unchanged", False),
        ("no new data", False),
        ("failed", True),
        ("data_refused", False),
        ("not_blessed", True),
    ],
)
def test_only_the_ends_asked_for_are_posted(status: Status, posted: bool, webhook: Webhook) -> None:
    schedule = ScheduleConfig(webhook_url=webhook.url, webhook_on=("failed", "not_blessed"))
    assert post_outcome(dataclasses.replace(RUN, status=status), schedule) is None
    assert len(webhook.received) == posted


def test_a_server_that_is_busy_is_asked_again(webhook: Webhook) -> None:
    webhook.answers = [503, 429]
    assert post_outcome(RUN, ScheduleConfig(webhook_url=webhook.url)) is None
    assert len(webhook.received) == 3


def test_a_server_that_stays_broken_is_reported(webhook: Webhook) -> None:
    webhook.answers = [500] * 9
    line = post_outcome(RUN, ScheduleConfig(webhook_url=webhook.url))
    assert line is not None
    assert "answered 500" in line
    assert len(webhook.received) == 3


def test_a_refusal_is_not_asked_again_and_the_url_stays_secret(webhook: Webhook) -> None:
    webhook.answers = [403]
    line = post_outcome(RUN, ScheduleConfig(webhook_url=webhook.url))
    assert line is not None
    assert f"127.0.0.1:{webhook.server_port} answered 403" in line
    assert "secret" not in line
    assert len(webhook.received) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/hook", "http://[::1/", "http://"])
def test_no_server_at_all(url: str) -> None:
    line = post_outcome(RUN, ScheduleConfig(webhook_url=url))
    assert line is not None
    assert line.startswith("nobody was notified")
    assert "\n" not in line


def run_without_data(aepipe: Aepipe, pipeline: str, folder: Path, *options: str) -> Result:
    """Runs a pipeline that fails of a missing data directory."""
    places = "--home", folder / "home", "--data-dir", folder / "missing"
    result = aepipe("run", pipeline, *places, *options)
    assert result.exit_code == 2
    return result


def test_a_local_run_posts_a_users_mistake(
    aepipe: Aepipe, webhook: Webhook, tmp_path: Path
) -> None:
    setting = f"schedule.webhook_url={webhook.url}"
    result = run_without_data(aepipe, "anomaly", tmp_path, "--json", "--set", setting)
    ((_, body),) = webhook.received
    assert body == json.loads(result.out)
    assert str(tmp_path / "missing") in body["runs"][0]["reasons"][0]


def test_a_webhook_that_fails_changes_nothing_of_a_local_run(
    aepipe: Aepipe, webhook: Webhook, tmp_path: Path
) -> None:
    webhook.answers = [404]
    setting = f"schedule.webhook_url={webhook.url}"
    result = run_without_data(aepipe, "anomaly", tmp_path, "--json", "--set", setting)
    (run,) = result.runs
    assert "answered 404" in run["notices"][-1]
    assert "answered 404" in result.err
    (kept,) = tmp_path.glob("home/runs/*/run.json")
    assert json.loads(kept.read_text())["notices"] == run["notices"]


def test_the_url_may_come_from_the_environment_and_is_written_nowhere(
    aepipe: Aepipe, webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEPIPE_WEBHOOK_URL", f"{webhook.url}/token-of-nobody")
    webhook.answers = [404]
    home = tmp_path / "home"
    result = run_without_data(aepipe, "anomaly", tmp_path)
    assert len(webhook.received) == 1
    (run,) = (home / "runs").iterdir()
    shown = [aepipe(command, run.name, "--home", home) for command in ("show", "report")]
    texts = [*(one.out + one.err for one in (result, *shown))]
    texts += [path.read_text(errors="replace") for path in home.rglob("*") if path.is_file()]
    assert len(texts) > 4
    assert not [text for text in texts if "token-of-nobody" in text]


def test_of_several_pipelines_each_is_posted(
    aepipe: Aepipe, webhook: Webhook, tmp_path: Path
) -> None:
    setting = f"schedule.webhook_url={webhook.url}"
    run_without_data(aepipe, "all", tmp_path, "--set", setting)
    assert [body["runs"][0]["pipeline"] for _, body in webhook.received] == [
        "basic",
        "denoise",
        "anomaly",
        "detector",
    ]


def test_a_bug_is_posted_too(
    small_sample: Path, webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr("pipeline.run.begin.choose_data", break_down)
    request = RunRequest(
        names=("anomaly",),
        home=tmp_path,
        data_dir=small_sample,
        settings=(f"schedule.webhook_url={webhook.url}",),
    )
    with pytest.raises(RuntimeError):
        run_pipelines(request, io.StringIO())
    ((_, body),) = webhook.received
    (run,) = body["runs"]
    assert run["status"] == "failed"
    assert run["reasons"][0].startswith("a bug in aepipe: RuntimeError: ")
