"""The trials of a study, one after the other; a trial that fails is not the end of the search."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import optuna

from pipeline.supervisor import notify_supervisor
from pipeline.tuning.space import TunedPipeline
from pipeline.tuning.study import REASON
from pipeline_config import PipelineConfig, UserInputError
from trainer.progress_bar import progress_bar

OnEpoch = Callable[[int, float], None]
"""Is given the number of epochs so far and the objective; may raise to end the training."""

Train = Callable[[PipelineConfig, OnEpoch], float]
"""Trains with a pipeline's settings and returns the objective."""


class DivergedError(ArithmeticError):
    """A training has diverged; the message says when."""


class TrialFailedError(Exception):
    """A trial gave no model; why is in its user attribute `REASON`."""


def run_trials(
    study: optuna.Study,
    tuned: TunedPipeline,
    train: Train,
    *,
    count: int,
    minutes: float | None,
    on_trial: Callable[[], None],
) -> None:
    """Runs trials, with a progress bar.

    Args:
        study: Gets them.
        tuned: What is searched.
        train: Trains for a trial. A `DivergedError`, a `MemoryError` or a `UserInputError` of it
            is the end of that trial alone.
        count: How many at most.
        minutes: After which no more are begun; None for no limit.
        on_trial: Called after each.
    """
    with _bar(tuned.config.name, count) as show:
        first = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))

        def run(trial: optuna.Trial) -> float:
            number = trial.number - first
            show(number, 0.0, _best_of(study))
            return _error_of(
                trial, tuned, train, lambda share: show(number, share, _best_of(study))
            )

        study.optimize(
            run,
            n_trials=count,
            timeout=None if minutes is None else minutes * 60,
            catch=(TrialFailedError,),
            callbacks=[lambda *_: on_trial()],
        )


def _error_of(
    trial: optuna.Trial, tuned: TunedPipeline, train: Train, progress: Callable[[float], None]
) -> float:
    """Returns the objective of a trial.

    Raises:
        optuna.TrialPruned: It is worse than the others at the same epoch.
        TrialFailedError: It diverged, ran out of memory, or its settings do not fit.
    """
    notify_supervisor(stage=f"trial {trial.number}")
    values = tuned.suggest(trial)

    def judge(epoch: int, error: float) -> None:
        trial.report(error, epoch)
        progress(epoch / config.trainer.epochs)
        if trial.should_prune():
            raise optuna.TrialPruned()

    try:
        config = tuned.with_values(values)
        return train(config, judge)
    except (DivergedError, UserInputError) as error:
        reason = str(error)
        raised: Exception = error
    except MemoryError as error:
        reason, raised = "out of memory", error
    trial.set_user_attr(REASON, reason)
    raise TrialFailedError(reason) from raised


def _best_of(study: optuna.Study) -> float | None:
    try:
        return study.best_value
    except ValueError:
        return None


@contextlib.contextmanager
def _bar(pipeline: str, count: int) -> Iterator[Callable[[int, float, float | None], None]]:
    """Yields what shows how many trials have ended, the share of the next one, and the best."""
    bar = progress_bar()
    task = bar.add_task(f"{pipeline}: trials", total=count, losses="")

    def show(ended: int, share: float, best: float | None) -> None:
        losses: Any = "" if best is None else f"best {best:.4g}"
        bar.update(task, completed=ended + share, losses=losses)

    if bar.disable:
        # Rich ends even a disabled bar with an empty line.
        yield show
    else:
        with bar:
            yield show
