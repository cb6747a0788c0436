"""`aepipe tune`: the stages up to Transform as in any run, then one trial after another."""

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console

from data.choice import RunData
from pipeline.config_file import ConfigFile
from pipeline.effective_settings import DEFAULT, as_toml, effective_settings
from pipeline.run.outcome import RunOutcome
from pipeline.run.record import RunRecord
from pipeline.runners.local import RunRequest, run_and_notify, run_stages
from pipeline.settings import configured
from pipeline.terminal import print_notice
from pipeline.tuning.result import TuningResult, print_result, write_result
from pipeline_config import PIPELINES, PipelineConfig, UserInputError

if TYPE_CHECKING:
    import optuna

    from pipeline.tuning.space import TunedPipeline
    from pipeline.tuning.training import TuningData

STUDY_FILE = "study.db"

_LAST_STAGE = "Transform"
"""The trials train on its output."""

_ORIGIN = "aepipe tune"
"""What the comments of the TOML text say of the best values."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """How long to search.

    Attributes:
        trials: Trials that are begun, beside those that the study has.
        minutes: After which no more are begun; None for no limit.

    Raises:
        UserInputError: Either is not above 0.
    """

    trials: int
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise UserInputError(f"--trials {self.trials}: expected 1 or more trials")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise UserInputError(f"--minutes {self.minutes:g}: expected more than 0 minutes")


def tune_pipeline(
    request: RunRequest, limits: Limits, file: ConfigFile | None, human_output: TextIO
) -> tuple[RunOutcome, TuningResult | None]:
    """Searches settings of a pipeline.

    Args:
        request: The one pipeline, its data, and the settings that are fixed.
        limits: How long to search.
        file: The user's file of pipelines, if there is one.
        human_output: Where the lines for a person go.

    Returns:
        The run of the stages, with the status `tuned`, and the study; None if a stage failed.

    Raises:
        UserInputError: The pipeline has nothing to search, or a setting is wrong; nothing was run.
    """
    from pipeline.tuning.space import TunedPipeline

    (config,) = configured(request.names, request.settings)
    fixed = {assignment.partition("=")[0].strip() for assignment in request.settings}
    search = _Search(TunedPipeline.of(config, fixed), fixed, limits, file)
    outcome = run_and_notify(config, request, human_output, search.work)
    return outcome, search.result


@dataclasses.dataclass
class _Search:
    tuned: "TunedPipeline"
    fixed: Collection[str]
    limits: Limits
    file: ConfigFile | None
    result: TuningResult | None = None

    def work(
        self,
        record: RunRecord,
        config: PipelineConfig,
        request: RunRequest,
        read: RunData | None,
        console: Console,
    ) -> None:
        """Runs the stages, then the trials; see `Work`."""
        run_stages(record, config, request, read, console, last=_LAST_STAGE)
        from pipeline.tuning.study import importance_of, open_study
        from pipeline.tuning.training import train_trial
        from pipeline.tuning.trials import run_trials

        data = _tuning_data(record, config)
        path = record.home.tuning / config.name / STUDY_FILE
        digest = self.tuned.digest(record.outcome.inputs_sha256 or "")
        study, other = open_study(path, self.tuned, digest)
        if other:
            print_notice(console, other)
        result = TuningResult(objective=_objective(config, data), study=str(path))
        run_trials(
            study,
            self.tuned,
            lambda tried, on_epoch: train_trial(tried, data, on_epoch),
            count=self.limits.trials,
            minutes=self.limits.minutes,
            # Whatever ends the search, the last trial that has ended is kept.
            on_trial=lambda: write_result(self._completed(result, study), record.directory),
        )
        result = dataclasses.replace(result, importance=importance_of(study))
        self.result = self._completed(result, study)
        write_result(self.result, record.directory)
        print_result(console, self.result)
        if self.result.best is None:
            last = self.result.trials[-1]
            raise UserInputError(
                f"no trial of pipeline {config.name} gave a model; the last, trial {last.trial}: "
                f"{last.reason}; try other values by --set, or by search in a file of --config"
            )
        record.change(status="tuned", reasons=[])

    def _completed(self, result: TuningResult, study: "optuna.Study") -> TuningResult:
        """Returns a result with the trials that have ended, and the best of them."""
        from pipeline.tuning.study import best_and_default, results_of

        trials = results_of(study)
        best, default = best_and_default(study, self.tuned)
        result = dataclasses.replace(result, trials=trials, best=best, default=default)
        if best is None:
            return result
        values = next(one.settings for one in trials if one.trial == best)
        return dataclasses.replace(
            result,
            assignments=[f"{name}={_text(value)}" for name, value in values.items()],
            toml=self._toml(values),
        )

    def _toml(self, values: Mapping[str, Any]) -> str:
        """Returns the pipeline's table with the best values, and all that is not a default."""
        config = self.tuned.with_values(values)
        settings = effective_settings(config, self.file, {*self.fixed, *values})
        unlike = (DEFAULT, *PIPELINES.built_in)
        kept = [
            dataclasses.replace(one, origin=_ORIGIN) if one.setting in values else one
            for one in settings
            if one.origin not in unlike
        ]
        return as_toml(config, kept, self.file)


def _tuning_data(record: RunRecord, config: PipelineConfig) -> "TuningData":
    from pipeline.run.lineage import open_store, output_artifacts, run_executions
    from pipeline.tuning.training import TuningData

    store = open_store(record.home, config.name)
    executions = run_executions(store, record.outcome.run_id)
    outputs = output_artifacts(store, executions, _LAST_STAGE)
    graph, examples = outputs["transform_graph"].uri, outputs["transformed_examples"].uri
    return TuningData.of(config, graph, examples)


def _objective(config: PipelineConfig, data: "TuningData") -> str:
    measure = {"mae": "absolute", "mse": "squared"}[config.loss]
    return f"mean {measure} error, scaled to 0 to 1, of {data.described}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
