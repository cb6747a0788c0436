"""Settings from the command line: `--set section.name=value` on a frozen config."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline_config import PIPELINES, PipelineConfig, UserInputError

SECTIONS = ("data", "gate", "transform", "trainer", "evaluator", "infra_validator", "pusher")
"""Sections that a run's result depends on."""

SETTABLE = (*SECTIONS, "schedule")


def available_settings(config: PipelineConfig) -> dict[str, Any]:
    """Returns the type of each setting, by its full name.

    A mapping of bounds gives one name a metric, such as `evaluator.lower_bounds.accuracy`.
    """
    settings: dict[str, Any] = {}
    for section_name in SETTABLE:
        section = getattr(config, section_name)
        for field in dataclasses.fields(section):
            name = f"{section_name}.{field.name}"
            if isinstance(getattr(section, field.name), Mapping):
                settings |= {f"{name}.{metric}": float for metric in section.METRICS}
            else:
                settings[name] = field.type
    return settings


def apply_settings(config: PipelineConfig, assignments: Sequence[str]) -> PipelineConfig:
    """Returns `config` with each `section.name=value` applied, in order.

    Raises:
        UserInputError: An assignment without `=`, an unknown setting (the nearest name is given),
            a value of the wrong type or out of its range.
    """
    known = available_settings(config)
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        name = name.strip()
        if not separator:
            raise UserInputError(f"--set {assignment}: expected KEY=VALUE")
        if name not in known:
            raise UserInputError(_unknown_setting(name, config, known))
        config = _with_value(config, name, _parse(name, text.strip(), known[name]))
    return config


def configured(names: Sequence[str], assignments: Sequence[str]) -> list[PipelineConfig]:
    """Returns the configs with the settings applied.

    With several pipelines a setting is applied to those that have it.

    Raises:
        UserInputError: A setting that none of them has, or a value that is wrong.
    """
    configs = [PIPELINES[name] for name in names]
    known = {config.name: set(available_settings(config)) for config in configs}
    known_somewhere = set().union(*known.values())

    def concerns(assignment: str, config: PipelineConfig) -> bool:
        name = assignment.partition("=")[0].strip()
        return name in known[config.name] or name not in known_somewhere

    return [
        apply_settings(config, [each for each in assignments if concerns(each, config)])
        for config in configs
    ]


def _unknown_setting(name: str, config: PipelineConfig, known: Mapping[str, Any]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(sorted(known))}"
    return f"--set {name}: pipeline {config.name} has no such setting; {hint}"


def _parse(name: str, text: str, kind: Any) -> Any:
    if typing.get_origin(kind) is typing.Literal:
        return text
    if typing.get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is bool:
        lowered = text.lower()
        if lowered not in ("true", "false", "1", "0", "yes", "no"):
            raise UserInputError(f"{name}={text}: expected true or false")
        return lowered in ("true", "1", "yes")
    try:
        return kind(text)
    except ValueError as error:
        wanted = {int: "a whole number", float: "a number"}.get(kind, str(kind))
        raise UserInputError(f"{name}={text}: expected {wanted}") from error


def _with_value(config: PipelineConfig, name: str, value: Any) -> PipelineConfig:
    section_name, field, *metric = name.split(".")
    section = getattr(config, section_name)
    if metric:
        value = types.MappingProxyType({**getattr(section, field), metric[0]: value})
    changed = dataclasses.replace(section, **{field: value})
    return dataclasses.replace(config, **{section_name: changed})
