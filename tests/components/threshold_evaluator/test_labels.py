"""Evaluation of examples that have labels, some labels or none, and whose bounds count for them."""

from typing import Any

import numpy as np
import pytest

from components.threshold_evaluator.bounds import bounds_in_force, broken_bounds, is_chance
from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.metrics import class_recalls, detector_metrics
from components.threshold_evaluator.scores import Scores, examples_digest
from components.threshold_evaluator.verdict import Baseline, Verdict, judge
from pipeline_config import ANOMALY, DENOISE, EvaluatorConfig, ThresholdEvaluatorConfig

LABELLED = set(ThresholdEvaluatorConfig.METRICS)
NORMAL, ABNORMAL, NONE = 1, 0, -1


def scores(*groups: tuple[int, int, float, bytes]) -> Scores:
    """Scores of groups of examples: how many, their label, mean error and class."""
    rng = np.random.default_rng(0)
    error = np.concatenate([rng.normal(mean, 0.1, count) for count, _, mean, _ in groups])
    label = np.concatenate([np.full(count, label) for count, label, _, _ in groups])
    names = [name for count, _, _, name in groups for _ in range(count)]
    error = error.astype(np.float32)
    return Scores(error, label.astype(np.int16), error, np.array(names, np.bytes_))


def judged(eval_scores: Scores, *, train: Scores | None = None, **changes: Any) -> Verdict:
    gate = {key: changes.pop(key) for key in list(changes) if key not in ("baseline",)}
    config = EvaluationConfig(
        feature="signal",
        shape=(12,),
        loss="mae",
        noise=0.0,
        presumes_normal=gate.pop("presumes_normal", True),
        gate=ThresholdEvaluatorConfig(
            tutorial_lower_bounds=ANOMALY.evaluator.tutorial_lower_bounds, **gate
        ),
    )
    default = scores((200, NONE, 1.0, b""))
    return judge(config, {"train": train or default, "eval": eval_scores}, changes.get("baseline"))


@pytest.mark.parametrize(
    ("groups", "names"),
    [
        ([(50, NORMAL, 1.0, b"1"), (20, ABNORMAL, 2.0, b"2")], LABELLED),
        ([(50, NONE, 1.0, b"")], {"val_loss", "alarm_rate"}),
        (
            [(50, NORMAL, 1.0, b"1"), (20, ABNORMAL, 2.0, b"2"), (30, NONE, 1.0, b"")],
            LABELLED | {"alarm_rate"},
        ),
        (
            [(20, ABNORMAL, 2.0, b"2"), (30, NONE, 1.0, b"")],
            {"val_loss", "anomaly_recall", "alarm_rate"},
        ),
        ([(20, NORMAL, 1.0, b"1"), (30, NONE, 1.0, b"")], {"val_loss", "recall", "alarm_rate"}),
    ],
)
def test_what_takes_labels_is_absent_without(groups: list[Any], names: set[str]) -> None:
    metrics = detector_metrics(scores(*groups), threshold=1.5)
    assert set(metrics) == names
    assert None not in metrics.values()


def test_labels_are_judged_on_the_rows_that_have_one() -> None:
    labelled = [(50, NORMAL, 1.0, b"1"), (20, ABNORMAL, 2.0, b"2")]
    whole = detector_metrics(scores(*labelled), threshold=1.1)
    some = detector_metrics(scores(*labelled, (30, NONE, 9.0, b"")), threshold=1.1)
    assert some.pop("alarm_rate") == 1.0
    assert some.pop("val_loss") != whole.pop("val_loss")
    assert some == whole


def test_each_class_has_its_recall_by_its_own_name() -> None:
    found = class_recalls(
        scores(
            (10, ABNORMAL, 3.0, b"10"),
            (8, ABNORMAL, 1.0, b"2"),
            (40, NORMAL, 1.0, b"1"),
            (5, ABNORMAL, 3.0, "Ü".encode()),
            (30, NONE, 9.0, b""),
        ),
        threshold=2.0,
    )
    assert list(found) == ["1", "2", "10", "Ü"]
    assert found["1"] == {"label": "normal", "examples": 40, "alarms": 0, "recall": 1.0}
    assert found["2"] == {"label": "abnormal", "examples": 8, "alarms": 0, "recall": 0.0}
    assert found["10"] == {"label": "abnormal", "examples": 10, "alarms": 10, "recall": 1.0}


def test_a_label_column_that_is_none_is_not_listed_row_by_row() -> None:
    rows = scores(*((1 + (number < 3), ABNORMAL, 1.0, b"%d" % number) for number in range(200)))
    found = class_recalls(rows, threshold=2.0)
    assert len(found) == 50
    assert list(found)[:3] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("mean", "settings", "reason"),
    [
        (1.0, {}, None),
        (
            2.0,
            {},
            "alarm_rate 1 is above the upper bound 0.2 (evaluator.alarm_rate_most): too many "
            "unlabelled eval examples raise an alarm; a higher evaluator.threshold_k raises fewer",
        ),
        (2.0, {"alarm_rate_most": 1.0}, None),
        (2.0, {"presumes_normal": False}, None),
        (
            0.1,
            {"alarm_rate_least": 0.01},
            "alarm_rate 0 is below the lower bound 0.01 (evaluator.alarm_rate_least): too few",
        ),
    ],
)
def test_unlabelled_rows_may_raise_few_alarms(
    mean: float, settings: dict[str, Any], reason: str | None
) -> None:
    train = scores((200, NORMAL, 1.0, b"1"))
    verdict = judged(scores((100, NONE, mean, b"")), train=train, **settings)
    assert [one[: len(reason or "")] for one in verdict.reasons] == ([reason] if reason else [])
    assert verdict.notices == ()
    assert "no eval example has a label" in verdict.notes[0]


def test_a_threshold_is_set_on_the_rows_that_are_trained_on() -> None:
    train = scores((50, NORMAL, 1.0, b"1"), (50, NONE, 2.0, b""), (50, ABNORMAL, 9.0, b"2"))
    evaluated = scores((50, NORMAL, 1.0, b"1"), (20, ABNORMAL, 9.0, b"2"))
    presumed = judged(evaluated, train=train).threshold
    skipped = judged(evaluated, train=train, presumes_normal=False).threshold
    assert presumed is not None
    assert skipped is not None
    assert (presumed.examples, skipped.examples) == (100, 50)
    assert presumed.parameters["mean"] == pytest.approx(1.5, abs=0.05)
    assert skipped.parameters["mean"] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(("val_loss", "is_worse"), [(0.9, True), (1.0, False)])
def test_without_labels_the_baseline_is_compared_by_its_loss(
    val_loss: float, is_worse: bool
) -> None:
    metrics = {"val_loss": val_loss, "alarm_rate": 0.1}
    baseline = Baseline("baseline", 1, 1.5, metrics)
    verdict = judged(scores((100, NONE, 1.0, b"")), baseline=baseline)
    assert [one.startswith("val_loss ") for one in verdict.reasons] == [True] * is_worse
    note = "f1 cannot be measured on these examples: the baseline is compared by val_loss"
    assert note in verdict.notes


def test_a_users_bound_counts_even_if_it_cannot_be_measured() -> None:
    verdict = judged(scores((100, NONE, 1.0, b"")), lower_bounds={"accuracy": 0.9})
    (reason,) = verdict.reasons
    assert reason.startswith("accuracy is not measured, as it takes labels of both classes")
    assert reason.endswith("or leave evaluator.lower_bounds.accuracy out")


def test_a_bound_on_a_gain_takes_noise() -> None:
    gate = EvaluatorConfig(lower_bounds={"psnr_gain_db": 1.0})
    bounds = bounds_in_force(gate, {"val_loss": 0.1}, is_tutorial=False)
    (reason,) = broken_bounds({"val_loss": 0.1}, bounds, scores((3, NORMAL, 1.0, b"")), gate)
    assert reason.startswith("psnr_gain_db is undefined, so it cannot be held against its bound 1")


def test_labels_of_one_class_are_noted() -> None:
    verdict = judged(scores((20, ABNORMAL, 2.0, b"2"), (30, NONE, 1.0, b"")), threshold_k=3)
    assert verdict.blessed
    assert verdict.notes == (
        "20 of 50 eval examples have a label, all of them abnormal: what takes both classes is not "
        "measured",
    )
    assert verdict.metrics["anomaly_recall"] == 1.0


def test_a_detector_that_finds_nothing_is_reported() -> None:
    hard = scores((60, NORMAL, 1.0, b"1"), (40, ABNORMAL, 1.1, b"2"))
    verdict = judged(hard, threshold_k=9)
    assert verdict.blessed
    (notice,) = verdict.notices
    assert notice.startswith(
        "none of the 40 abnormal eval examples is found: a lower evaluator.thr"
    )


@pytest.mark.parametrize(
    ("normal", "abnormal", "difference", "passes"),
    [
        (60, 40, 0.0, False),
        (60, 40, -0.1, False),
        (60, 40, 0.06, True),
        (500, 3, 0.0, False),
        (500, 3, 1.0, True),
        (9, 1, 1.0, True),
        (9, 1, -1.0, False),
        (1, 1, 1.0, True),
    ],
)
def test_a_hard_data_set_passes_and_a_worthless_model_does_not(
    normal: int, abnormal: int, difference: float, passes: bool
) -> None:
    rows = scores((normal, NORMAL, 1.0, b"1"), (abnormal, ABNORMAL, 1.0 + difference, b"2"))
    train = scores((50, NORMAL, 1.0, b"1"))
    verdict = judged(rows, train=train)
    assert verdict.blessed is passes
    assert is_chance(rows) is not passes
    for reason in verdict.reasons:
        assert "roc_auc" in reason
        assert "the default for data other than the tutorial's" in reason
    assert judged(rows, train=train, lower_bounds={"roc_auc": 0.0}).blessed


def test_constant_errors_are_refused() -> None:
    constant = np.ones(100, np.float32)
    rows = Scores(constant, (np.arange(100) % 3 > 0).astype(np.int16), constant)
    (reason,) = judged(rows, train=rows).reasons
    assert reason.startswith("roc_auc 0.5 cannot be told from chance, 0.5 (the default for data")
    assert "34 abnormal and 66 normal eval examples" in reason


def test_the_tutorials_bounds_count_for_the_tutorials_examples_alone() -> None:
    gate = ThresholdEvaluatorConfig(
        tutorial_lower_bounds={"accuracy": 0.85, "recall": 0.75}, lower_bounds={"recall": 0.5}
    )
    metrics = detector_metrics(
        scores((50, NORMAL, 1.0, b"1"), (20, ABNORMAL, 2.0, b"2")), threshold=1.5
    )

    def origins(*, is_tutorial: bool) -> dict[str, tuple[float, str]]:
        found = bounds_in_force(gate, metrics, is_tutorial=is_tutorial)
        return {bound.metric: (bound.value, bound.origin) for bound in found}

    assert origins(is_tutorial=True) == {
        "accuracy": (0.85, "tutorial"),
        "recall": (0.5, "setting"),
    }
    assert origins(is_tutorial=False) == {
        "recall": (0.5, "setting"),
        "roc_auc": (0.5, "default"),
    }


def test_a_denoiser_of_other_pictures_has_to_gain_something() -> None:
    metrics = {"val_loss": 0.5, "noisy_mse": 0.4, "psnr_gain_db": -1.0}
    (bound,) = bounds_in_force(DENOISE.evaluator, metrics, is_tutorial=False)
    assert (bound.metric, bound.value, bound.origin) == ("psnr_gain_db", 0.0, "default")
    of_tutorial = bounds_in_force(DENOISE.evaluator, metrics, is_tutorial=True)
    assert [bound.metric for bound in of_tutorial] == ["psnr_gain_db", "val_loss"]


def test_a_digest_of_examples_is_of_their_content() -> None:
    def split(*ids: list[int]) -> Scores:
        none = np.zeros(len(ids), np.float32)
        return Scores(none, none.astype(np.int16), none, None, np.array(ids, np.uint64))

    greatest = 2**64 - 1
    one = examples_digest({"train": split([1, 2], [3, greatest]), "eval": split([5, 6])})
    other = examples_digest({"train": split([5, 6]), "eval": split([3, greatest], [1, 2])})
    assert one == other == f"{9:016x}{7:016x}"
    assert examples_digest({"eval": scores((5, NONE, 1.0, b""))}) is None
