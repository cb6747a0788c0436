"""Each strategy against its formula, what it refuses, and what conformal promises."""

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from components.threshold_evaluator import threshold as thresholds
from components.threshold_evaluator.best_cut import best_accuracy, best_f1
from components.threshold_evaluator.comparison import compare, fit_all, oracle
from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.scores import Scores
from components.threshold_evaluator.strategies import STRATEGIES, strategy_of
from components.threshold_evaluator.threshold import (
    FittingRows,
    NoThresholdError,
    Threshold,
    fitting_rows,
    is_anomaly,
    normal_errors,
    set_threshold,
)
from components.threshold_evaluator.verdict import Verdict, judge
from pipeline_config import ANOMALY, SettingError, ThresholdEvaluatorConfig

NORMAL, ABNORMAL, NONE = 1, 0, -1


def scores(normal: Any, abnormal: Any = (), unlabelled: Any = ()) -> Scores:
    """Scores of examples with these errors."""
    groups = ((normal, NORMAL), (abnormal, ABNORMAL), (unlabelled, NONE))
    error = np.concatenate([np.asarray(errors, np.float32) for errors, _ in groups])
    label = np.concatenate([np.full(len(errors), label) for errors, label in groups])
    return Scores(error, label.astype(np.int16), error)


def gamma(count: int, seed: int = 0) -> np.ndarray:
    """Errors as detectors have them: all above 0, with a long tail."""
    return np.random.default_rng(seed).gamma(4.0, 0.01, count).astype(np.float32)


def fit(name: str, found: Scores, *, held_out: bool = True, **gate: Any) -> Threshold:
    rows = fitting_rows({"calibration" if held_out else "train": found})
    config = ThresholdEvaluatorConfig(threshold=name, **gate)  # type: ignore[arg-type]
    return set_threshold(strategy_of(config), rows)


ERRORS = gamma(400)
WIDE = ERRORS.astype(np.float64)


@pytest.mark.parametrize(
    ("name", "gate", "expected"),
    [
        ("mean_std", {"threshold_k": 1.5}, WIDE.mean() + 1.5 * WIDE.std()),
        ("percentile", {"percentile": 97.5}, np.percentile(WIDE, 97.5)),
        ("percentile", {}, np.percentile(WIDE, 95)),
        (
            "mad",
            {"threshold_k": 2.5},
            np.median(WIDE) + 2.5 * 1.4826 * stats.median_abs_deviation(WIDE),
        ),
        # ceil(401 * 0.95) = 381 and ceil(401 * 0.99) = 397.
        ("conformal", {}, np.sort(WIDE)[380]),
        ("conformal", {"false_alarm_rate": 0.01}, np.sort(WIDE)[396]),
    ],
)
def test_a_threshold_is_that_of_its_formula(
    name: str, gate: dict[str, float], expected: float
) -> None:
    # Anomalies and the order of the rows change nothing.
    found = fit(name, scores(ERRORS, abnormal=[5.0, 9.0]), **gate)

    assert found.value == pytest.approx(expected, rel=1e-6)
    assert found.value == np.float32(found.value)
    assert (found.strategy, found.examples, found.split) == (name, 400, "calibration")
    assert found.as_dict().items() >= {"value": found.value, "strategy": name}.items()
    assert fit(name, scores(ERRORS[::-1]), **gate).value == pytest.approx(found.value, rel=1e-6)


@pytest.mark.parametrize("rate", [0.0005, 0.01, 0.05, 0.2])
@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.3])
def test_peaks_over_threshold_finds_the_quantile_of_a_known_tail(rate: float, shape: float) -> None:
    tail = stats.genpareto(shape, scale=0.02)
    errors = 0.1 + tail.rvs(20_000, random_state=3)

    found = fit("pot", scores(errors), false_alarm_rate=rate)

    # As a share of false alarms: the fit of 400 peaks is no better than a fifth.
    assert tail.sf(found.value - 0.1) == pytest.approx(rate, rel=0.3)
    parameters = found.parameters
    expected = stats.genpareto.isf(
        rate * 20_000 / parameters["peaks"],
        parameters["shape"],
        loc=parameters["initial"],
        scale=parameters["scale"],
    )
    assert found.value == pytest.approx(expected, rel=1e-5)


def test_peaks_over_threshold_lowers_the_initial_threshold_for_few_errors() -> None:
    few, many = fit("pot", scores(gamma(100))), fit("pot", scores(gamma(5000)))
    rare = fit("pot", scores(gamma(5000)), false_alarm_rate=0.001)

    assert few.parameters["peaks"] == 30
    assert many.parameters["peaks"] == 500
    assert rare.parameters["peaks"] == 100
    assert rare.parameters["initial"] == pytest.approx(np.percentile(gamma(5000), 98), rel=1e-6)


def test_f1_separates_the_labelled_anomalies_best() -> None:
    normal, abnormal = gamma(300), gamma(60, seed=1) + 0.03
    found = fit("f1", scores(normal, abnormal, unlabelled=[9.0] * 50), held_out=False)

    errors = np.concatenate([normal, abnormal])
    is_abnormal = np.arange(360) >= 300
    f1 = [sklearn_metrics.f1_score(is_abnormal, errors > cut) for cut in np.unique(errors)]
    assert sklearn_metrics.f1_score(is_abnormal, errors > np.float32(found.value)) == max(f1)
    assert found.parameters["f1"] == pytest.approx(max(f1))
    assert found.split == "train"


def test_the_best_cut_lies_between_two_errors() -> None:
    low, high = np.float32(1.0), np.nextafter(np.float32(1.0), np.float32(2.0))
    for normal, abnormal, expected in (
        ([1.0, 2.0], [4.0], 3.0),
        ([low], [high], low),
        ([3.0], [1.0, 2.0], np.nextafter(np.float32(1.0), np.float32(0.0))),
    ):
        arrays = np.array(normal, np.float32), np.array(abnormal, np.float32)
        assert best_f1(*arrays)[0] == expected
    assert best_accuracy(np.float32([1, 2, 3]), np.float32([0.5, 5])) == (4.0, 0.8)


REFUSALS = {
    "trained_on": (
        "conformal",
        scores(ERRORS),
        False,
        "held out of the training: --set data.held_out=0.2",
    ),
    "too_few": (
        "conformal",
        scores(ERRORS[:18]),
        True,
        "evaluator.threshold=conformal at evaluator.false_alarm_rate=0.05 takes 19 held-out normal "
        "examples or more, and there are 18: --set evaluator.false_alarm_rate=0.053 takes no more, "
        "and a higher data.held_out holds out more",
    ),
    "few_peaks": (
        "pot",
        scores(ERRORS[:15]),
        True,
        "evaluator.threshold=pot takes 10 held-out normal examples or more above their median, and "
        "7 of 15 are: give more, or --set evaluator.threshold=percentile",
    ),
    "no_peaks": ("pot", scores([1.0] * 500), False, "and 0 of 500 are"),
    "no_anomalies": (
        "f1",
        scores(ERRORS),
        True,
        "labelled normal and abnormal in the split 'calibration', and there are 400 and 0: give "
        "labels, or --set evaluator.threshold=percentile",
    ),
    "no_labels": ("f1", scores([], unlabelled=ERRORS), False, "and there are 0 and 0"),
    "not_finite_anomaly": ("f1", scores([1.0], abnormal=[np.inf]), True, "not all errors are fin"),
    **{
        f"{name}_{fault}": (name, found, True, "no threshold can be set: no normal calibration")
        for name in STRATEGIES
        for fault, found in (
            ("without_normal", scores([], abnormal=[1.0, 2.0])),
            ("not_finite", scores([np.nan, *ERRORS])),
        )
    },
}


@pytest.mark.parametrize(("name", "found", "held_out", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_what_a_strategy_refuses(name: str, found: Scores, held_out: bool, sentence: str) -> None:
    with pytest.raises(NoThresholdError) as raised:
        fit(name, found, held_out=held_out)

    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_as_few_as_conformal_asks_for_are_enough() -> None:
    assert fit("conformal", scores(ERRORS[:19])).value == ERRORS[:19].max()
    for rate in (0.5, 0.2, 0.1, 0.03, 0.01, 0.001):
        strategy = strategy_of(
            ThresholdEvaluatorConfig(threshold="conformal", false_alarm_rate=rate)
        )
        least = strategy.least_examples  # type: ignore[attr-defined]
        assert (least + 1) * rate >= 1 - 1e-9 > least * rate - 1e-9
        fit("conformal", scores(gamma(least)), false_alarm_rate=rate)
        if least == 1:
            continue
        with pytest.raises(NoThresholdError) as raised:
            fit("conformal", scores(gamma(least - 1)), false_alarm_rate=rate)
        # Its advice is enough.
        advised = re.search(r"--set evaluator.false_alarm_rate=([0-9.]+)", str(raised.value))
        assert advised is not None
        fit("conformal", scores(gamma(least - 1)), false_alarm_rate=float(advised[1]))


def nearest_trained(trained: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """Error of a model that has learnt its examples by heart: the distance to the nearest."""
    return np.abs(examples[:, None] - trained[None]).min(axis=1).astype(np.float32)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_conformal_keeps_its_promise_on_fresh_normals_and_training_errors_do_not(
    rate: float,
) -> None:
    """The false alarms of 100 splits, together, are no more than a binomial test allows."""
    alarms = of_trained = total = 0
    for seed in range(100):
        examples = np.random.default_rng(seed).normal(size=600)
        trained, held_out, fresh = np.split(examples, [200, 400])
        errors = scores(nearest_trained(trained, held_out))
        found = fit("conformal", errors, false_alarm_rate=rate)
        new = scores(nearest_trained(trained, fresh))
        alarms += int(is_anomaly(new, found.value).sum())
        in_training = scores(nearest_trained(trained, trained))
        learnt = fit("percentile", in_training, percentile=100 * (1 - rate), held_out=False)
        of_trained += int(is_anomaly(new, learnt.value).sum())
        total += len(fresh)

    # A threshold is shared by the fresh examples of its split, so a split is one observation: its
    # share of alarms is beta-binomial of the held-out examples, which has this variance.
    above = int(201 * rate + 1e-9)
    share = above / 201
    variance = share * (1 - share) * (1 / 200 + 1 / 202) / 100
    assert alarms / total <= rate + 3.1 * variance**0.5
    assert alarms / total >= share - 3.1 * variance**0.5, "and it is not kept by alarming never"
    assert stats.binomtest(of_trained, total, rate, alternative="greater").pvalue < 1e-6


def test_every_strategy_sees_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, FittingRows] = {}
    for name, kind in STRATEGIES.items():

        def remember(self: Any, rows: FittingRows, name: str = name, fit: Any = kind.fit) -> Any:
            seen[name] = rows
            return fit(self, rows)

        monkeypatch.setattr(kind, "fit", remember)
    of_splits = {
        "train": scores(gamma(200), [1.0], unlabelled=[2.0]),
        "calibration": scores(ERRORS, [3.0, 4.0], unlabelled=[0.5]),
        "eval": scores(gamma(100, seed=2), [1.0]),
    }

    fit_all(ThresholdEvaluatorConfig(), fitting_rows(of_splits))
    held_out = {id(rows) for rows in seen.values()}

    assert set(seen) == set(STRATEGIES)
    assert len(held_out) == 1
    assert sorted(seen["mad"].normal.tolist()) == sorted([*ERRORS.tolist(), 0.5])
    skipping = fitting_rows(of_splits, presumes_normal=False)
    assert len(skipping.normal) == 400
    of_train = fitting_rows({name: of_splits[name] for name in ("train", "eval")})
    assert (of_train.split, len(of_train.normal)) == ("train", 201)


def judged(threshold: str, *, held_out: bool = True, **gate: Any) -> Verdict:
    config = dataclasses.replace(
        EvaluationConfig.from_pipeline(ANOMALY),
        gate=ThresholdEvaluatorConfig(threshold=threshold, **gate),  # type: ignore[arg-type]
    )
    found = {
        "train": scores(gamma(300), gamma(40, seed=3) + 0.2),
        "calibration": scores(ERRORS, gamma(40, seed=4) + 0.2),
        "eval": scores(gamma(300, seed=5), gamma(50, seed=6) + 0.2),
    }
    if not held_out:
        del found["calibration"]
    return judge(config, found, None)


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_gate_works_with_each_strategy_and_compares_all(name: str) -> None:
    verdict = judged(name)

    assert verdict.blessed
    assert verdict.threshold is not None
    assert verdict.threshold.strategy == name
    assert [entry["strategy"] for entry in verdict.comparison] == list(STRATEGIES)
    (chosen,) = (entry for entry in verdict.comparison if entry["is_chosen"])
    assert chosen["strategy"] == name
    assert chosen["threshold"] == verdict.threshold_value
    for figure in ("accuracy", "precision", "recall", "f1", "anomaly_recall"):
        assert chosen[figure] == verdict.metrics[figure]
    assert chosen["false_alarm_rate"] == pytest.approx(1 - chosen["recall"])
    assert chosen["reason"] is None
    uses_labels = {e["strategy"] for e in verdict.comparison if e["uses_labels"]}
    assert uses_labels == {"f1"}
    labels = "the threshold was set with labelled anomalies of calibration"
    assert (labels in verdict.notes) == (name == "f1")
    assert verdict.oracle is not None
    assert verdict.oracle["accuracy"] >= max(e["accuracy"] for e in verdict.comparison)
    assert verdict.normal_errors.tolist() == np.sort(ERRORS).tolist()


def test_what_has_no_threshold_is_compared_with_its_reason() -> None:
    verdict = judged("mean_std", held_out=False)

    entries = {entry["strategy"]: entry for entry in verdict.comparison}
    assert entries["conformal"]["threshold"] is None
    assert "--set data.held_out=0.2" in entries["conformal"]["reason"]
    assert entries["conformal"]["alarms"] is None
    assert entries["percentile"]["alarms"] > 0
    assert verdict.blessed


def test_a_refusal_of_the_strategy_in_force_is_a_reason() -> None:
    verdict = judged("conformal", false_alarm_rate=0.001)

    assert verdict.threshold is None
    assert any("takes 999 held-out normal examples or more" in one for one in verdict.reasons)


@pytest.mark.parametrize(
    ("name", "gate", "expected"),
    [
        ("conformal", {"threshold_k": 2}, "evaluator.threshold_k=2 does not change the threshold"),
        ("mad", {"threshold_k": 2}, ""),
        ("mean_std", {"percentile": 99}, "of evaluator.threshold=percentile, and mean_std is in f"),
        ("f1", {"false_alarm_rate": 0.1}, "of evaluator.threshold=conformal and pot"),
    ],
)
def test_a_setting_of_another_strategy_is_noticed(
    name: str, gate: dict[str, float], expected: str
) -> None:
    notices = judged(name, **gate).notices

    assert len(notices) == bool(expected)
    assert all(expected in notice for notice in notices)


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("mean_std", "a lower evaluator.threshold_k"),
        ("percentile", "a lower evaluator.percentile"),
        ("conformal", "a higher evaluator.false_alarm_rate"),
        ("f1", "evaluator.threshold=percentile with a lower evaluator.percentile"),
    ],
)
def test_advice_names_the_setting_in_force(name: str, setting: str) -> None:
    (reason,) = judged(name, lower_bounds={"anomaly_recall": 1.1}).reasons

    assert reason.endswith(f"too few of the anomalies are found; {setting} finds more")


def test_conformal_without_held_out_examples_is_refused_at_once() -> None:
    conformal = ThresholdEvaluatorConfig(threshold="conformal")
    with pytest.raises(SettingError, match=r"--set data\.held_out=0\.2"):
        dataclasses.replace(ANOMALY, evaluator=conformal)
    data = dataclasses.replace(ANOMALY.data, held_out=0.2)
    assert dataclasses.replace(ANOMALY, evaluator=conformal, data=data).data.held_out == 0.2


def test_unusable_eval_errors_leave_figures_undefined() -> None:
    attempts = fit_all(ThresholdEvaluatorConfig(), fitting_rows({"train": scores(ERRORS)}))
    for found in (scores([np.nan, 1.0], [2.0]), scores([])):
        entries = compare(attempts, "mean_std", found)
        assert {entry["alarms"] for entry in entries} == {None}
        assert oracle(found) is None
    unlabelled = compare(attempts, "mean_std", scores([], unlabelled=ERRORS))
    assert unlabelled[0]["alarms"] > 0
    assert unlabelled[0]["false_alarm_rate"] is None


def test_normal_errors_are_sorted_and_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = fitting_rows({"train": scores(ERRORS, [9.0], unlabelled=[0.0])})
    assert normal_errors(rows).tolist() == sorted([0.0, *ERRORS.tolist()])
    monkeypatch.setattr(thresholds, "MOST_NORMAL_ERRORS", 100)
    some = normal_errors(rows)
    assert (some.dtype, len(some)) == (np.float32, 100)
    assert set(some.tolist()) <= {0.0, *ERRORS.tolist()}
    assert (np.diff(some) >= 0).all()
    reversed_rows = dataclasses.replace(rows, normal=rows.normal[::-1])
    assert some.tolist() == normal_errors(reversed_rows).tolist()
