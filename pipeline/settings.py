"""Settings by name: `section.name` of a frozen config, from the command line or a TOML file.

Both ways end in `with_values`, so a value has the same bounds and the same sentence in both.
"""

import dataclasses
import difflib
import json
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline_config import PIPELINES, PipelineConfig, UserInputError

SECTIONS = ("data", "gate", "transform", "trainer", "evaluator", "infra_validator", "pusher")
"""Sections that a run's result depends on."""

SETTABLE = (*SECTIONS, "schedule")

ALL = "all"
"""What a command line says for all pipelines, so no pipeline's name."""

NO_BOUND = "none"
"""Value of a metric's bound that takes the bound away."""

_TUTORIAL_BOUNDS = {
    "lower_bounds": "tutorial_lower_bounds",
    "upper_bounds": "tutorial_upper_bounds",
}
"""Setting of bounds on any data -> that of bounds on the tutorial's data."""

PATHS = ("data.schema",)
"""Settings that name a file: relative to the working directory, or to the file that sets them."""

_EXPECTED = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    tuple: 'an array of texts, such as ["a", "b"]',
}


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


def setting_values(config: PipelineConfig) -> dict[str, Any]:
    """Returns the value of each of `available_settings`; None for a bound that is not there."""
    values = {}
    for name in available_settings(config):
        section, field, *metric = name.split(".")
        value = getattr(getattr(config, section), field)
        values[name] = value.get(metric[0]) if metric else value
    return values


def apply_settings(config: PipelineConfig, assignments: Sequence[str]) -> PipelineConfig:
    """Returns `config` with each `section.name=value` applied; of two of a name, the last.

    Raises:
        UserInputError: An assignment without `=`, an unknown setting (the nearest name is given),
            a value of the wrong type or out of its range.
    """
    known = available_settings(config)
    values = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        name = name.strip()
        if not separator:
            raise UserInputError(f"--set {assignment}: expected KEY=VALUE")
        if name not in known:
            raise UserInputError(f"--set {name}: {unknown_setting(name, config.name, known)}")
        values[name] = _parse(name, text.strip(), known[name])
    return with_values(config, values)


def configured(names: Sequence[str], assignments: Sequence[str]) -> list[PipelineConfig]:
    """Returns the configs with the settings applied.

    With several pipelines a setting is applied to those that have it.

    Raises:
        UserInputError: A pipeline that does not exist, a setting that none of them has, or a value
            that is wrong.
    """
    configs = [PIPELINES.named(name) for name in names]
    known = {config.name: set(available_settings(config)) for config in configs}
    known_somewhere = set().union(*known.values())

    def concerns(assignment: str, config: PipelineConfig) -> bool:
        name = assignment.partition("=")[0].strip()
        return name in known[config.name] or name not in known_somewhere

    return [
        apply_settings(config, [each for each in assignments if concerns(each, config)])
        for config in configs
    ]


def with_values(config: PipelineConfig, values: Mapping[str, Any]) -> PipelineConfig:
    """Returns `config` with other values, all of a section at once.

    Args:
        config: The pipeline.
        values: Full name of a setting, or name of a field of `PipelineConfig` -> value. A None
            takes a metric's bound away.

    Raises:
        SettingError: A value is out of its range.
    """
    own = {name: value for name, value in values.items() if "." not in name}
    by_section: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if name in own:
            continue
        section_name, field, *metric = name.split(".")
        fields = by_section.setdefault(section_name, {})
        if metric:
            bounds = fields.get(field, getattr(getattr(config, section_name), field))
            changed = {**bounds, metric[0]: value}
            fields[field] = types.MappingProxyType(_without_none(changed))
            if value is None and (tutorial := _TUTORIAL_BOUNDS.get(field)):
                # Whoever wants no bound on a metric wants none of any origin.
                inherited = fields.get(tutorial, getattr(getattr(config, section_name), tutorial))
                others = {**inherited, metric[0]: None}
                fields[tutorial] = types.MappingProxyType(_without_none(others))
        else:
            fields[field] = value
    sections = {
        name: dataclasses.replace(getattr(config, name), **fields)
        for name, fields in by_section.items()
    }
    return dataclasses.replace(config, **own, **sections)


def _without_none(bounds: Mapping[str, float | None]) -> dict[str, float]:
    return {name: bound for name, bound in bounds.items() if bound is not None}


def unknown_setting(name: str, pipeline: str, known: Iterable[str]) -> str:
    """Returns the sentence on a setting that a pipeline does not have, with the nearest one."""
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(sorted(known))}"
    return f"pipeline {pipeline} has no such setting; {hint}"


def typed_value(name: str, value: Any, kind: Any) -> Any:
    """Returns a value of a TOML file as its field holds it: a tuple for an array.

    Args:
        name: The setting.
        value: What the file says.
        kind: The field's type, as in `available_settings`.

    Raises:
        UserInputError: It is of another type.
    """
    if _is_bound(name) and value == NO_BOUND:
        return None
    kind = _plain(kind)
    # A bool is an int to Python, and not to anyone who writes a setting.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is tuple and isinstance(value, list):
        # Columns and classes may be numbers.
        texts = [str(item) if type(item) is int else item for item in value]
        if all(isinstance(item, str) for item in texts):
            return tuple(texts)
    elif kind is float and number:
        # By its digits: one of hundreds of them is infinite, not an OverflowError.
        return float(str(value))
    elif type(value) is kind:
        return value
    shown = json.dumps(value, ensure_ascii=False, default=str)
    unquoted = isinstance(value, str) and kind in (bool, int, float)
    expected = _EXPECTED[kind] + (", without quotes" if unquoted else "")
    raise UserInputError(f"{name}={shown}: expected {expected}")


def absolute(path: str, folder: Path) -> str:
    """Returns the value of one of `PATHS`, counted from a folder; empty stays empty."""
    return path and str((folder / Path(path).expanduser()).absolute())


def _parse(name: str, text: str, kind: Any) -> Any:
    """Returns a value of the command line as its field holds it."""
    if _is_bound(name) and text == NO_BOUND:
        return None
    kind = _plain(kind)
    if kind is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if name in PATHS:
        return absolute(text, Path())
    if kind is bool:
        lowered = text.lower()
        if lowered not in ("true", "false", "1", "0", "yes", "no"):
            raise UserInputError(f"{name}={text}: expected {_EXPECTED[bool]}")
        return lowered in ("true", "1", "yes")
    try:
        return kind(text)
    except ValueError as error:
        raise UserInputError(f"{name}={text}: expected {_EXPECTED[kind]}") from error


def _plain(kind: Any) -> type:
    """Returns the Python type of a field's values: `str` of a `Literal` of texts."""
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return str
    return origin or kind


def _is_bound(name: str) -> bool:
    return name.count(".") > 1
