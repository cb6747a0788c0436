"""What the last stage records of a run, and what the exit handler makes of what it finds."""

import json
from pathlib import Path
from typing import Any

import pytest
from tfx.types.artifact import Artifact
from tfx.types.experimental.simple_artifacts import File
from tfx.types.standard_artifacts import InfraBlessing, ModelEvaluation, PushedModel

from components.infra_validator.component import write_blessing
from data.spans.window import ReadSpan, ReadWindow
from pipeline.run.outcome import NUMBER_KEY
from pipeline.runners.kubeflow.stages import NotifyWebhook, RecordOutcome
from pipeline.runners.kubeflow.step import note_failure
from tests.pipeline.webhook_server import Webhook

RUN = "3f9a-run"
LABELS = {"train": {"normal": 3, "abnormal": 5}, "eval": {"normal": 1, "abnormal": 1}}
METRICS = {"accuracy": 0.93, "recall": None}


def execute(stage: Any, inputs: dict[str, Artifact], **properties: str) -> None:
    executor = stage.EXECUTOR_SPEC.executor_class()
    executor.Do({name: [artifact] for name, artifact in inputs.items()}, {}, properties)


def record(folder: Path, *, refused: list[str], infra: str | None = None, **given: str) -> None:
    """Records a run of a pushed model, unless `refused` or `infra` say why it was not pushed."""
    verdict, evaluation = File(), ModelEvaluation()
    verdict.uri, evaluation.uri = str(folder / "verdict"), str(folder / "evaluation")
    passed = {"passed": True, "examples": {"train": 8, "eval": 2}, "drift": {"signal": 0.1}}
    passed |= {"labels": LABELS, "notices": ["few are normal"]}
    found = {"blessed": not refused, "reasons": refused, "metrics": METRICS, "threshold": 0.5}
    found |= {"notices": ["few are not"]}
    for artifact, name, content in (
        (verdict, "verdict.json", passed),
        (evaluation, "evaluation.json", found),
    ):
        Path(artifact.uri).mkdir()
        Path(artifact.uri, name).write_text(json.dumps(content))
    blessing = InfraBlessing()
    blessing.uri = str(folder / "blessing")
    write_blessing(blessing, infra)
    pushed_model = PushedModel()
    pushed_model.uri = (
        f"/artifacts/anomaly/{given.pop('pushed_by', RUN)}/VersionedPusher/pushed_model"
    )
    if not refused and infra is None:
        version = folder / "push" / "ecg" / "1700000000"
        version.mkdir(parents=True)
        pushed_model.set_int_custom_property("pushed", 1)
        pushed_model.set_string_custom_property("pushed_destination", str(version))
    execute(
        RecordOutcome,
        {
            "verdict": verdict,
            "evaluation": evaluation,
            "pushed_model": pushed_model,
            "infra_blessing": blessing,
        },
        pipeline="anomaly",
        data_folder="/data/ecg",
        runs_folder=str(folder / "runs"),
        run_id=RUN,
        **given,
    )


def recorded(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "runs" / RUN / "run.json").read_text())
    return content


def notify(folder: Path, webhook: Webhook, *ends: str) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AEPIPE_WEBHOOK_URL", webhook.url)
        execute(
            NotifyWebhook,
            {},
            pipeline="anomaly",
            runs_folder=str(folder / "runs"),
            run_id=RUN,
            webhook_on=json.dumps(ends or ("failed", "not_blessed")),
        )


@pytest.mark.parametrize(("pushed_by", "status"), [(RUN, "pushed"), ("before", "unchanged")])
def test_a_pushed_model(tmp_path: Path, webhook: Webhook, pushed_by: str, status: str) -> None:
    window = ReadWindow(
        spans=(ReadSpan(19874, "2024-05-31", 2, {"all": ("span-2024-05-31/v2/ecg.csv",)}),),
        previous=ReadSpan(7, "7", None, {"all": ("span-7/ecg.csv",)}),
        fingerprint="x",
    )
    record(tmp_path, refused=[], pushed_by=pushed_by, span_window=window.to_json())
    outcome = recorded(tmp_path)
    assert (outcome["status"], outcome["blessed"], outcome["reasons"]) == (status, True, [])
    assert (outcome["metrics"], outcome["threshold"]) == (METRICS, 0.5)
    assert outcome["pushed"] == str(tmp_path / "push" / "ecg" / "1700000000")
    assert outcome["data"]["examples"] == {"train": 8, "eval": 2}
    assert outcome["data"]["labels"] == LABELS
    assert outcome["notices"][:2] == ["few are normal", "few are not"]
    (span,) = outcome["data"]["spans"]
    assert (span["name"], span["version"]) == ("2024-05-31", 2)
    assert outcome["data"]["previous_span"]["name"] == "7"
    notify(tmp_path, webhook)
    assert webhook.received == []


@pytest.mark.parametrize(
    ("refusals", "reasons"),
    [
        ({"refused": ["recall 0.1 is below 0.8"]}, ["recall 0.1 is below 0.8"]),
        # The infra validator only says then that the model was not blessed.
        ({"refused": ["recall"], "infra": "not blessed"}, ["recall"]),
        ({"refused": [], "infra": "no answer in 60 s"}, ["infra validator: no answer in 60 s"]),
    ],
)
def test_a_refused_model_is_posted_with_the_reason(
    tmp_path: Path, webhook: Webhook, refusals: dict[str, Any], reasons: list[str]
) -> None:
    record(tmp_path, **refusals)
    outcome = recorded(tmp_path)
    assert (outcome["status"], outcome["reasons"]) == ("not_blessed", reasons)
    assert (outcome["blessed"], outcome["pushed"]) == (False, None)
    notify(tmp_path, webhook)
    ((_, body),) = webhook.received
    del outcome[NUMBER_KEY]
    assert body == {"runs": [outcome]}
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_first_failure_gives_the_status(tmp_path: Path, webhook: Webhook) -> None:
    run = tmp_path / "runs" / RUN
    note_failure(run, "DataGate", "data_refused", "drift of feature 'signal'")
    note_failure(run, "Other", "failed", "KeyError: 'x'")
    notify(tmp_path, webhook, "data_refused")
    ((_, body),) = webhook.received
    (outcome,) = body["runs"]
    assert outcome["status"] == "data_refused"
    assert outcome["reasons"] == ["DataGate: drift of feature 'signal'", "Other: KeyError: 'x'"]
    assert outcome["run_id"] == RUN


def test_a_run_whose_step_left_no_note_is_posted_all_the_same(
    tmp_path: Path, webhook: Webhook
) -> None:
    notify(tmp_path, webhook)
    ((_, body),) = webhook.received
    (outcome,) = body["runs"]
    assert outcome["status"] == "failed"
    assert "a step was stopped before it could say why" in outcome["reasons"][0]


def test_a_webhook_that_is_down_fails_nothing(
    tmp_path: Path, webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.answers = [404]
    notify(tmp_path, webhook)
    assert "answered 404" in caplog.text
    assert "secret" not in caplog.text
