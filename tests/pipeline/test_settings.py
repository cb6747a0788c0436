import dataclasses

import pytest

from pipeline.settings import apply_settings, available_settings, configured
from pipeline_config import ANOMALY, BASIC, DENOISE, PIPELINES, UserInputError

EVERY = list(PIPELINES.built_in)


@pytest.mark.parametrize(
    ("name", "pipelines"),
    [
        ("data.split", ["anomaly", "detector"]),
        ("data.length", ["anomaly", "detector"]),
        ("trainer.epochs", EVERY),
        ("trainer.batch_size", EVERY),
        ("trainer.seed", EVERY),
        ("evaluator.threshold_k", ["anomaly", "detector"]),
        ("transform.noise", EVERY),
        ("infra_validator.enabled", EVERY),
        ("pusher.keep", EVERY),
        ("schedule.cron", EVERY),
        ("schedule.webhook_url", EVERY),
    ],
)
def test_the_settings_a_user_reaches_for_have_their_names(name: str, pipelines: list[str]) -> None:
    assert [c.name for c in PIPELINES.values() if name in available_settings(c)] == pipelines


def test_a_setting_is_typed_and_leaves_the_rest_alone() -> None:
    changed = apply_settings(
        ANOMALY,
        [
            "trainer.epochs=3",
            "evaluator.threshold_k=1.5",
            "data.split=tutorial",
            "trainer.warm_start=true",
            "evaluator.lower_bounds.recall=0.5",
            "schedule.cron=15 3 * * *",
            "schedule.tags=ecg, nightly",
        ],
    )
    assert changed.trainer.epochs == 3
    assert changed.data == dataclasses.replace(ANOMALY.data, split="tutorial")
    assert changed.trainer.warm_start is True
    assert changed.evaluator.lower_bounds == {**ANOMALY.evaluator.lower_bounds, "recall": 0.5}
    assert changed.schedule.cron == "15 3 * * *"
    assert changed.schedule.tags == ("ecg", "nightly")
    assert changed.pusher == ANOMALY.pusher
    assert ANOMALY.trainer.epochs == 20


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("trainer.epoch=3", "did you mean trainer.epochs?"),
        ("epochs=3", "did you mean trainer.epochs?"),
        ("zzz=3", "known: data.after"),
        ("trainer.epochs", "expected KEY=VALUE"),
        ("trainer.epochs=three", "trainer.epochs=three: expected a whole number"),
        ("trainer.epochs=1.5", "expected a whole number"),
        ("trainer.epochs=0", "trainer.epochs=0: expected 1 or more"),
        ("trainer.learning_rate=nan", "expected above 0"),
        ("trainer.warm_start=maybe", "expected true or false"),
        ("data.split=random", "data.split='random': expected one of hash, tutorial"),
        ("data.length=1", "expected 2 or more samples"),
        ("evaluator.threshold_k=x", "expected a number"),
        ("evaluator.lower_bounds.acuracy=1", "did you mean evaluator.lower_bounds.accuracy?"),
        ("evaluator.baseline_metric=accurcy", "one of accuracy, precision"),
        ("pusher.keep=-1", "expected 0 (all) or more"),
        ("schedule.cron=@hour", "five fields of cron"),
        ("schedule.retries=-1", "schedule.retries=-1: expected 0 or more"),
        ("schedule.retry_delay_seconds=0", "up to an hour"),
        ("schedule.timeout_minutes=inf", "up to a week"),
        ("schedule.webhook_url=localhost:8000", "http://"),
        ("schedule.webhook_on=failed,pushed", "some of failed, data_refused, not_blessed"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(assignment: str, message: str) -> None:
    with pytest.raises(UserInputError) as caught:
        apply_settings(ANOMALY, [assignment])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_with_several_pipelines_a_setting_goes_to_those_that_have_it() -> None:
    assignments = ["data.split=tutorial", "pusher.keep=2"]
    basic, denoise, anomaly, detector, *_ = configured(list(PIPELINES), assignments)
    assert anomaly.data.split == detector.data.split == "tutorial"
    assert basic == dataclasses.replace(BASIC, pusher=dataclasses.replace(BASIC.pusher, keep=2))
    assert denoise.pusher.keep == 2


def test_with_several_pipelines_a_setting_that_none_has_is_refused() -> None:
    with pytest.raises(UserInputError, match="did you mean"):
        configured(list(PIPELINES), ["data.splitt=tutorial"])


def test_noise_is_what_makes_the_denoiser() -> None:
    assert DENOISE.transform.noise == 0.2
    assert BASIC.transform.noise == 0.0
