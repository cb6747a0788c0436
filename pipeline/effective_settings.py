"""The settings in force of a pipeline, each with where its value comes from."""

import dataclasses
import json
from collections.abc import Collection, Iterator
from typing import Any

from pipeline.config_file import FIELDS, ConfigFile
from pipeline.search_space import search_as_values
from pipeline.settings import NO_BOUND, setting_values
from pipeline_config import PIPELINES, PipelineConfig

DEFAULT = "default"
SET_OPTION = "--set"


@dataclasses.dataclass(frozen=True)
class EffectiveSetting:
    """One setting.

    Attributes:
        setting: Its full name, or the name of a field of `PipelineConfig`.
        value: As JSON and TOML have it; `NO_BOUND` for a bound that the base has alone.
        origin: `default`, `--set`, FILE:LINE, or the pipeline that this one starts from.
    """

    setting: str
    value: Any
    origin: str


def effective_settings(
    config: PipelineConfig, file: ConfigFile | None = None, set_names: Collection[str] = ()
) -> list[EffectiveSetting]:
    """Returns all settings of a pipeline, and its search space.

    Args:
        config: The pipeline, with the settings of the command line.
        file: The user's file, if there is one.
        set_names: Settings of the command line.
    """
    fields = {name: getattr(config, name) for name in FIELDS}
    root = _chain(config.name, file)[-1]
    at_root = setting_values(PIPELINES.built_in[root])
    settings = []
    searched = search_as_values(config.search)
    for name, value in {**fields, **setting_values(config), **searched}.items():
        if value is None and at_root.get(name) is None:
            continue
        # A bound that is taken away is taken away from the tutorial's too; see `with_values`.
        names = {name, name.replace(".tutorial_", ".")} if value is None else {name}
        origin = SET_OPTION if names & {*set_names} else _origin(config.name, names, file)
        plain = list(value) if isinstance(value, tuple) else value
        settings.append(EffectiveSetting(name, NO_BOUND if plain is None else plain, origin))
    return settings


def as_toml(
    config: PipelineConfig, settings: Collection[EffectiveSetting], file: ConfigFile | None = None
) -> str:
    """Returns the pipeline's table for a file of its own, with the origins as comments.

    It starts from a built-in pipeline, so that it needs no other table.
    """
    lines = [f"[{toml_key(config.name)}]"]
    if config.name not in PIPELINES.built_in:
        lines.append(f"base = {toml_value(_chain(config.name, file)[-1])}")
    assigned = [f"{one.setting} = {toml_value(one.value)}" for one in settings]
    width = max(map(len, assigned))
    lines += [
        f"{text:<{width}}  # {one.origin}" for text, one in zip(assigned, settings, strict=True)
    ]
    return "\n".join(lines) + "\n"


def toml_value(value: Any) -> str:
    """Returns a text, number, truth value, or a list or table of these, as TOML has it."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {toml_value(each)}' for key, each in value.items())} }}"
    if isinstance(value, float):
        return repr(value)
    # JSON's own, but for one character that TOML has no raw form of.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(name: str) -> str:
    """Returns a pipeline's name as the key of a table: a dot in it separates nothing."""
    return toml_value(name) if "." in name else name


def _origin(pipeline: str, settings: set[str], file: ConfigFile | None) -> str:
    for name in _chain(pipeline, file):
        own = file.pipelines.get(name) if file else None
        found = sorted(settings & own.lines.keys()) if own else []
        if own and file and found:
            return f"{file.path}:{own.lines[found[0]]}" if name == pipeline else name
        if "pusher.model_name" in settings and name == pipeline not in PIPELINES.built_in:
            return DEFAULT
    return DEFAULT if pipeline == name else name


def _chain(pipeline: str, file: ConfigFile | None) -> list[str]:
    """Returns a pipeline, the one that it starts from, and so on to a built-in one."""
    return [pipeline, *_bases(pipeline, file)]


def _bases(pipeline: str, file: ConfigFile | None) -> Iterator[str]:
    while pipeline not in PIPELINES.built_in:
        assert file
        pipeline = file.pipelines[pipeline].base
        yield pipeline
