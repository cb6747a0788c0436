"""A study: Optuna's record of trials in the output folder, so that a search can go on later."""

import contextlib
from pathlib import Path

import optuna
import sqlalchemy.exc
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState

from pipeline.run.failures import full_disk
from pipeline.tuning.result import State, TrialResult
from pipeline.tuning.space import TunedPipeline
from pipeline_config import UserInputError

REASON = "reason"
"""User attribute of a trial that failed: why."""

_ANOTHER = "data, settings, search space or code are not those of the last study: a new one begins"
_LEAST_FOR_IMPORTANCE = 4
_STARTUP_TRIALS = 4
"""Trials before the first may be pruned."""

_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


def open_study(path: Path, tuned: TunedPipeline, digest: str) -> tuple[optuna.Study, str | None]:
    """Opens the study of a pipeline, or begins one.

    Trials are proposed by a tree-structured Parzen estimator (Bergstra et al. 2011) with the seed
    `trainer.seed`, and ended early if they are worse than the median of the others at the same
    epoch. The first trial is that of the pipeline's own values. Call this while holding the
    pipeline's lock: a trial that is under way in the file was killed.

    Args:
        path: The file; made if it is missing.
        tuned: What is searched.
        digest: Of all that makes two trials comparable, the study's name.

    Returns:
        The study, and a line that says that it is new if there was another one; else None.

    Raises:
        UserInputError: The file is none of Optuna's.
    """
    # Optuna's own handler would print into the progress bar.
    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        others = set(optuna.get_all_study_names(storage)) - {digest}
        study = optuna.create_study(storage=storage, study_name=digest, load_if_exists=True)
    except (sqlalchemy.exc.DatabaseError, StorageInternalError, RuntimeError) as error:
        if full_disk(error):
            raise
        line = str(error.__cause__ or error).splitlines()[0]
        raise UserInputError(f"{path}: no study can be kept in it: {line}; move it away") from error
    before = study.get_trials(deepcopy=False)
    for trial in before:
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
    study.sampler = optuna.samplers.TPESampler(
        # With the seed alone, a study that goes on would propose again what it has tried.
        seed=(tuned.config.trainer.seed + len(before)) % 2**32,
        n_startup_trials=_STARTUP_TRIALS,
    )
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS)
    if not any(_is_default(trial, tuned) for trial in study.get_trials(deepcopy=False)):
        study.enqueue_trial(tuned.own_values)
    is_another = bool(others) and not before
    return study, _ANOTHER if is_another else None


def results_of(study: optuna.Study) -> list[TrialResult]:
    """Returns all trials of a study that have ended, in order."""
    ended = study.get_trials(deepcopy=False, states=tuple(_STATES))
    return [_result(trial) for trial in ended]


def best_and_default(study: optuna.Study, tuned: TunedPipeline) -> tuple[int | None, int | None]:
    """Returns the numbers of the best trial and of that with the pipeline's own values."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    best = min(complete, key=lambda trial: (trial.value, trial.number), default=None)
    default = next((trial for trial in complete if _is_default(trial, tuned)), None)
    return best.number if best else None, default.number if default else None


def importance_of(study: optuna.Study) -> dict[str, float]:
    """Returns each setting's share of the errors' variance, the largest first.

    By fANOVA (Hutter et al. 2014) over the completed trials; empty if they are too few.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < _LEAST_FOR_IMPORTANCE:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    # Errors that are all equal have no variance to share.
    with contextlib.suppress(RuntimeError, ValueError):
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        return {name: round(float(share), 4) for name, share in found.items()}
    return {}


def _is_default(trial: FrozenTrial, tuned: TunedPipeline) -> bool:
    """Returns whether a trial has the pipeline's own values, or will have, and has not been cut."""
    if trial.state == TrialState.WAITING:
        return True
    return trial.params == tuned.own_values and not _was_interrupted(trial)


def _was_interrupted(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.FAIL and REASON not in trial.user_attrs


def _result(trial: FrozenTrial) -> TrialResult:
    last = trial.intermediate_values.get(trial.last_step) if trial.last_step is not None else None
    error = trial.value if trial.state == TrialState.COMPLETE else last
    return TrialResult(
        trial=trial.number,
        state=_STATES[trial.state],
        error=None if trial.state == TrialState.FAIL else error,
        seconds=round(trial.duration.total_seconds(), 3) if trial.duration else 0.0,
        settings=dict(trial.params),
        reason="interrupted" if _was_interrupted(trial) else trial.user_attrs.get(REASON),
    )
