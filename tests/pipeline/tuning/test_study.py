"""A study without a training: the error is made up of the settings that a trial tries."""

import dataclasses
import math
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.tuning.result import TrialResult
from pipeline.tuning.space import TunedPipeline
from pipeline.tuning.study import best_and_default, importance_of, open_study, results_of
from pipeline.tuning.trials import DivergedError, OnEpoch, run_trials
from pipeline_config import ANOMALY, Choice, PipelineConfig, Range, UserInputError

EPOCHS = 3
CONFIG = dataclasses.replace(
    ANOMALY,
    trainer=dataclasses.replace(ANOMALY.trainer, epochs=EPOCHS),
    search={
        "trainer.learning_rate": Range(low=1e-4, high=1e-1, log=True),
        "trainer.batch_size": Choice((32, 64)),
    },
)
TUNED = TunedPipeline.of(CONFIG, ())

Error = Callable[[PipelineConfig], float]


def error_of(config: PipelineConfig) -> float:
    """Least at a step size of 0.01, and smaller with smaller batches."""
    rate = math.log10(config.trainer.learning_rate)
    return 1 + (rate + 2) ** 2 + config.trainer.batch_size / 1024


class Search:
    """Runs trials of `CONFIG` in one file, each call as a process of its own would."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tried: list[PipelineConfig] = []
        self.error: Error = error_of

    def _train(self, config: PipelineConfig, on_epoch: OnEpoch) -> float:
        self.tried.append(config)
        error = self.error(config)
        for epoch in range(1, EPOCHS + 1):
            on_epoch(epoch, error * (1 + EPOCHS - epoch))
        return error

    def run(
        self,
        count: int,
        tuned: TunedPipeline = TUNED,
        *,
        digest: str = "a",
        minutes: float | None = None,
    ) -> tuple[list[TrialResult], int | None, int | None]:
        study, self.notice = open_study(self.path, tuned, digest)
        run_trials(study, tuned, self._train, count=count, minutes=minutes, on_trial=lambda: None)
        self.importance = importance_of(study)
        return results_of(study), *best_and_default(study, tuned)


@pytest.fixture
def search(tmp_path: Path) -> Search:
    return Search(tmp_path / "a folder" / "study.db")


def test_the_first_trial_has_the_pipelines_own_values(search: Search) -> None:
    results, best, default = search.run(8)

    assert search.tried[0] == CONFIG
    assert default == 0
    assert len(results) == len(search.tried) == 8
    own = {"trainer.learning_rate": 1e-3, "trainer.batch_size": 512}
    assert results[0].settings == own
    assert results[0].error == error_of(CONFIG)
    complete = {one.trial: one.error for one in results if one.state == "complete"}
    assert best is not None
    assert complete[best] == min(complete.values()) <= error_of(CONFIG)


def test_no_trial_leaves_the_space(search: Search) -> None:
    search.run(12)
    for config in search.tried[1:]:
        assert 1e-4 <= config.trainer.learning_rate <= 1e-1
        # The space holds the pipeline's own batch size as well.
        assert config.trainer.batch_size in (32, 64, 512)
        assert dataclasses.replace(config, trainer=CONFIG.trainer) == CONFIG


def test_the_setting_that_matters_is_the_important_one(search: Search) -> None:
    search.error = lambda config: abs(math.log10(config.trainer.learning_rate) + 2)
    search.run(25)
    assert sum(search.importance.values()) == pytest.approx(1, abs=0.01)
    assert search.importance["trainer.learning_rate"] > 0.8


def test_a_study_goes_on(search: Search) -> None:
    first, *_ = search.run(3)
    assert search.notice is None

    second, best, default = search.run(4)

    assert search.notice is None
    assert second[:3] == first
    assert [one.trial for one in second] == list(range(7))
    assert default == 0
    assert best is not None
    assert search.tried.count(CONFIG) == 1
    rates = [config.trainer.learning_rate for config in search.tried]
    assert len(set(rates)) == len(rates), "what was tried is not proposed again"


def test_a_search_repeats_with_its_seed(search: Search, tmp_path: Path) -> None:
    search.run(6)
    search.path = tmp_path / "other.db"
    search.run(6)
    assert search.tried[:6] == search.tried[6:]


def test_other_data_begin_a_study_of_their_own(search: Search) -> None:
    search.run(2, digest="a")
    other, *_ = search.run(2, digest="b")
    assert search.notice
    assert "a new one begins" in search.notice
    assert len(other) == 2

    first, *_ = search.run(1, digest="a")

    assert search.notice is None
    assert len(first) == 3


def test_the_digest_is_of_the_space_and_the_inputs() -> None:
    narrower = TunedPipeline.of(CONFIG, {"trainer.batch_size"})
    digests = {TUNED.digest("1"), TUNED.digest("2"), narrower.digest("1")}
    assert len(digests) == 3
    assert TUNED.digest("1") == TunedPipeline.of(CONFIG, ()).digest("1")


class Killed(BaseException):
    """What no code catches."""


def test_a_killed_trial_is_no_result_and_is_tried_again(search: Search) -> None:
    def killed(_: PipelineConfig) -> float:
        raise Killed

    search.error = killed
    with pytest.raises(Killed):
        search.run(1)
    search.error = error_of

    results, best, default = search.run(2)

    assert results[0].state == "failed"
    assert results[0].reason == "interrupted"
    assert search.tried[1] == CONFIG
    assert default == 1
    assert best in (1, 2)


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (DivergedError("the error is not a number after epoch 1"), "not a number"),
        (MemoryError(), "out of memory"),
        (UserInputError("trainer.batch_size=64: expected a multiple of 3"), "multiple of 3"),
    ],
)
def test_one_trial_that_fails_is_not_the_end(
    raised: Exception, reason: str, search: Search
) -> None:
    def fails_with_small_batches(config: PipelineConfig) -> float:
        if config.trainer.batch_size == 64:
            raise raised
        return error_of(config)

    search.error = fails_with_small_batches
    results, best, _ = search.run(12)

    failed = [one for one in results if one.state == "failed"]
    assert failed
    assert all(one.settings["trainer.batch_size"] == 64 for one in failed)
    assert all(one.error is None and one.reason and reason in one.reason for one in failed)
    assert len(results) == 12
    assert best not in {one.trial for one in failed}


def test_a_bug_is_the_end(search: Search) -> None:
    def wrong(_: PipelineConfig) -> float:
        raise TypeError("a bug")

    search.error = wrong
    with pytest.raises(TypeError, match="a bug"):
        search.run(3)
    assert len(search.tried) == 1


def test_if_all_fail_there_is_no_best(search: Search) -> None:
    def diverges(_: PipelineConfig) -> float:
        raise DivergedError("the error is not a number after epoch 1")

    search.error = diverges
    results, best, default = search.run(3)
    assert (best, default) == (None, None)
    assert [one.state for one in results] == ["failed"] * 3
    assert search.importance == {}


def test_a_hopeless_trial_is_ended_early(search: Search) -> None:
    rates: list[float] = []

    def worse_and_worse(config: PipelineConfig) -> float:
        rates.append(config.trainer.learning_rate)
        return float(len(rates))

    search.error = worse_and_worse
    results, best, default = search.run(8)

    assert [one.state for one in results] == ["complete"] * 4 + ["pruned"] * 4
    assert results[-1].error == 8 * EPOCHS, "that of its last epoch, the first"
    assert best == default == 0


def test_no_trial_begins_when_the_minutes_are_over(search: Search) -> None:
    results, *_ = search.run(50, minutes=1e-9)
    assert len(results) <= 1


def test_a_set_value_is_not_searched() -> None:
    tuned = TunedPipeline.of(CONFIG, {"trainer.learning_rate", "trainer.epochs"})
    assert list(tuned.space) == ["trainer.batch_size"]
    with pytest.raises(UserInputError, match="--set fixes all that pipeline anomaly searches"):
        TunedPipeline.of(CONFIG, CONFIG.search.keys())


def test_a_pipeline_without_a_space_says_how_to_add_one() -> None:
    with pytest.raises(UserInputError, match=r"anomaly has no search space: .* --config"):
        TunedPipeline.of(dataclasses.replace(CONFIG, search={}), ())


@pytest.mark.parametrize("content", [b"no database at all", None])
def test_a_file_that_is_no_study_is_one_line(content: bytes | None, search: Search) -> None:
    search.path.parent.mkdir()
    if content is None:
        with sqlite3.connect(search.path) as database:
            database.execute("CREATE TABLE studies (something TEXT)")
    else:
        search.path.write_bytes(content)
    with pytest.raises(UserInputError, match=r"study\.db: .*move it away") as caught:
        search.run(1)
    assert "\n" not in str(caught.value)
