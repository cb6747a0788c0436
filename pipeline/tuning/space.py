"""A pipeline's search space as Optuna has it, and its values as settings."""

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

import optuna

from pipeline.search_space import search_as_values
from pipeline.settings import setting_values, with_values
from pipeline_config import Choice, PipelineConfig, Range, SearchSpace, UserInputError


@dataclasses.dataclass(frozen=True)
class TunedPipeline:
    """A pipeline, and what of it is searched.

    Attributes:
        config: With the settings that are fixed.
        space: Searched setting -> what may be tried. It contains the pipeline's own value.
    """

    config: PipelineConfig
    space: SearchSpace

    @classmethod
    def of(cls, config: PipelineConfig, fixed: Collection[str]) -> "TunedPipeline":
        """Returns a pipeline with the space that it declares.

        Args:
            config: The pipeline.
            fixed: Settings that are not searched, as the user set them.

        Raises:
            UserInputError: It declares none, or all of it is fixed.
        """
        if not config.search:
            raise UserInputError(
                f"pipeline {config.name} has no search space: add one to its table in a file of "
                f"--config, such as search.trainer.batch_size = [16, 32, 64]"
            )
        own = setting_values(config)
        space = {
            name: _including(name, declared, own[name])
            for name, declared in config.search.items()
            if name not in fixed
        }
        if not space:
            raise UserInputError(
                f"--set fixes all that pipeline {config.name} searches: leave out one of "
                f"{', '.join(config.search)}"
            )
        return cls(config, space)

    @property
    def own_values(self) -> dict[str, Any]:
        """The pipeline's own value of each searched setting."""
        own = setting_values(self.config)
        return {name: own[name] for name in self.space}

    def with_values(self, values: Mapping[str, Any]) -> PipelineConfig:
        """Returns the pipeline with values of the searched settings."""
        return with_values(self.config, values)

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Returns the values that a trial tries."""
        return {name: _suggest(trial, name, space) for name, space in self.space.items()}

    def digest(self, inputs_sha256: str) -> str:
        """Returns a digest of all that makes two trials comparable.

        Args:
            inputs_sha256: Of data, settings and code.
        """
        text = json.dumps([inputs_sha256, search_as_values(self.space)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _including(name: str, space: Range | Choice, value: Any) -> Range | Choice:
    """Widens a space by a pipeline's own value, so that no result is worse than that."""
    if isinstance(space, Choice):
        return space if value in space.values else Choice((*space.values, value))
    if space.log and value <= 0:
        raise UserInputError(
            f"search.{name}: the pipeline's own value, {value}, has no logarithm: leave out log"
        )
    low, high = min(space.low, value), max(space.high, value)
    return dataclasses.replace(space, low=low, high=high)


def _suggest(trial: optuna.Trial, name: str, space: Range | Choice) -> Any:
    if isinstance(space, Choice):
        return trial.suggest_categorical(name, space.values)
    if isinstance(space.low, int):
        return trial.suggest_int(name, space.low, int(space.high), log=space.log)
    return trial.suggest_float(name, space.low, space.high, log=space.log)
