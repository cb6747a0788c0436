"""Pipelines of a user's own: a TOML file that adds pipelines, or changes the built-in ones.

Each table is a pipeline. One of a new name says by `base` which pipeline it starts from; all other
keys are settings, as `--set` names them, or the fields of `PipelineConfig` itself:

    [heart]
    base = "anomaly"
    description = "heartbeats of our own device"
    data.length = 187
    data.normal = ["0"]
"""

import dataclasses
import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from components.schema import curated_names
from pipeline.search_space import SEARCH, search_entries, space_of
from pipeline.settings import (
    ALL,
    PATHS,
    SETTABLE,
    absolute,
    available_settings,
    typed_value,
    unknown_setting,
    with_values,
)
from pipeline.toml_lines import Key, lines_of_keys
from pipeline_config import (
    PIPELINES,
    ImageData,
    PipelineConfig,
    SearchSpace,
    SettingError,
    SignalData,
    UserInputError,
    is_name,
    name_rule,
)
from trainer import model_names

CONFIG_VARIABLE = "AEPIPE_CONFIG"

FIELDS: Mapping[str, type] = MappingProxyType(
    {"description": str, "feature": str, "model": str, "loss": str, "schema": str}
)
"""Keys that are no setting of a section: fields of `PipelineConfig`, and which data it reads."""

_BASE = "base"
_FEATURE = "feature"
_MODEL_NAME = "pusher.model_name"


@dataclasses.dataclass(frozen=True)
class OwnPipeline:
    """One table of the file.

    Attributes:
        config: The pipeline, with the table's values.
        base: The pipeline that it starts from; its own name if it changes a built-in one.
        lines: Setting that the table has -> its line in the file.
    """

    config: PipelineConfig
    base: str
    lines: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class ConfigFile:
    """A file's pipelines by name.

    Attributes:
        path: The file.
        pipelines: Its own tables.
    """

    path: Path
    pipelines: Mapping[str, OwnPipeline]

    def put_in_force(self) -> None:
        """Adds the pipelines to `PIPELINES`, for this process."""
        own = {name: pipeline.config for name, pipeline in self.pipelines.items()}
        PIPELINES.use({**PIPELINES.built_in, **own})


def read_config_file(path: Path) -> ConfigFile:
    """Reads a file.

    Raises:
        UserInputError: It cannot be read, is no TOML, or a pipeline or a setting in it is wrong;
            the message names file and line.
    """
    text = _text(path)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserInputError(
            f"{path}: not valid TOML: {error}; text goes in quotes, and a pipeline begins with "
            'a line such as [heart], then base = "anomaly"'
        ) from error
    reader = _Reader(path, tables, lines_of_keys(text))
    pipelines = {name: reader.pipeline(name) for name in tables}
    reader.require_models_of_their_own(pipelines)
    return ConfigFile(path, MappingProxyType(pipelines))


def use_config_file(environ: Mapping[str, str], folder: Path) -> ConfigFile | None:
    """Puts the pipelines of the file that the environment names in force, if it names one.

    Args:
        environ: Environment variables.
        folder: What a relative path counts from.

    Raises:
        UserInputError: As in `read_config_file`.
    """
    named = environ.get(CONFIG_VARIABLE)
    if not named:
        PIPELINES.use_built_in()
        return None
    file = read_config_file(folder / Path(named).expanduser())
    file.put_in_force()
    return file


def _text(path: Path) -> str:
    try:
        # Editors of Windows begin a file with a mark.
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserInputError(f"--config {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserInputError(f"--config {path}: not a text in UTF-8: {error}") from error


class _Reader:
    """The tables of one file, each resolved once."""

    def __init__(self, path: Path, tables: Mapping[str, Any], lines: Mapping[Key, int]) -> None:
        self._path = path
        self._tables = tables
        self._lines = lines
        self._resolved: dict[str, OwnPipeline] = {}

    def pipeline(self, name: str, trail: tuple[str, ...] = ()) -> OwnPipeline:
        """Returns one pipeline, after those that it starts from."""
        if name not in self._resolved:
            if not isinstance(self._tables[name], dict):
                raise self._mistake(f"expected a pipeline's table, such as [{name}]", name)
            self._resolved[name] = self._read(name, (*trail, name))
        return self._resolved[name]

    def require_models_of_their_own(self, pipelines: Mapping[str, OwnPipeline]) -> None:
        """Checks that no two pipelines push to one model, where they would replace each other."""
        configs = {**PIPELINES.built_in, **{name: own.config for name, own in pipelines.items()}}
        for name in pipelines:
            model = configs[name].pusher.model_name
            for other in configs:
                if other != name and configs[other].pusher.model_name == model:
                    line = f"{_MODEL_NAME}={model!r}: the model of pipeline {other}; name another"
                    raise self._mistake(line, name, _MODEL_NAME)

    def _read(self, name: str, trail: tuple[str, ...]) -> OwnPipeline:
        base_name, base = self._base(name, trail)
        values = {}
        table = dict(self._tables[name])
        searched = table.pop(SEARCH, {})
        written = dict(_flattened(table))
        written.pop(_BASE, None)
        base = self._reading(name, base, written)
        kinds = {**FIELDS, **available_settings(base)}
        for setting, value in written.items():
            self._require_known(name, setting, kinds)
            try:
                values[setting] = typed_value(setting, value, kinds[setting])
            except UserInputError as error:
                raise self._mistake(str(error), name, setting) from error
        search = self._search(name, base, searched)
        of_search = [f"{SEARCH}.{setting}" for setting in search]
        lines = {setting: self._line(name, setting) for setting in (*values, *of_search)}
        values.pop(_FEATURE, None)
        self._complete(name, values)
        if name not in PIPELINES.built_in:
            # A fourth pipeline never takes over the model of the one that it starts from.
            values.setdefault(_MODEL_NAME, name)
        try:
            config = with_values(base, {**values, "name": name, SEARCH: {**base.search, **search}})
        except SettingError as error:
            raise self._mistake(str(error), name, error.setting) from error
        return OwnPipeline(config, base_name, MappingProxyType(lines))

    def _search(self, name: str, base: PipelineConfig, table: Any) -> SearchSpace:
        """Returns the settings that the table adds to the base's search space, or changes in it."""
        if not isinstance(table, dict):
            line = f"{SEARCH}: expected settings, such as {SEARCH}.trainer.batch_size = [32, 64]"
            raise self._mistake(line, name, SEARCH)
        kinds, search = available_settings(base), {}
        for setting, value in search_entries(table):
            key = f"{SEARCH}.{setting}"
            if setting not in kinds:
                raise self._mistake(f"{key}: {unknown_setting(setting, name, kinds)}", name, key)
            try:
                search[setting] = space_of(setting, value, kinds[setting])
            except UserInputError as error:
                raise self._mistake(str(error), name, key) from error
        return search

    def _base(self, name: str, trail: tuple[str, ...]) -> tuple[str, PipelineConfig]:
        built_in = name in PIPELINES.built_in
        base = self._tables[name].get(_BASE, name if built_in else None)
        known = list(dict.fromkeys([*PIPELINES.built_in, *self._tables]))
        if name == ALL or not is_name("pipeline", name):
            line = f"expected {name_rule('pipeline')}, and not {ALL}, which means all pipelines"
            raise self._mistake(line, name)
        if base is None:
            nearest = difflib.get_close_matches(name, PIPELINES.built_in, n=1)
            hint = f" (or did you mean [{nearest[0]}]?)" if nearest else ""
            line = f"a new pipeline starts from another: add {_BASE} = "
            raise self._mistake(line + f"{_shown(known, name)}{hint}", name)
        if built_in and base != name:
            raise self._mistake(
                f"{_BASE}={base!r}: {name} is built in: give a pipeline from {base} another name",
                *(name, _BASE),
            )
        if built_in:
            return name, PIPELINES.built_in[name]
        if base not in known:
            nearest = difflib.get_close_matches(str(base), known, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(known)}"
            raise self._mistake(f"{_BASE}={base!r}: there is no such pipeline; {hint}", name, _BASE)
        if base in trail:
            circle = " -> ".join([*trail[trail.index(base) :], base])
            raise self._mistake(f"{_BASE}={base!r}: goes round in a circle: {circle}", name, _BASE)
        if base in self._tables:
            return base, self.pipeline(base, trail).config
        return base, PIPELINES.built_in[base]

    def _reading(
        self, name: str, base: PipelineConfig, written: Mapping[str, Any]
    ) -> PipelineConfig:
        """Returns the pipeline that a table starts from, for the kind of data that it reads."""
        feature = written.get(_FEATURE, base.feature)
        if feature == base.feature:
            return base
        if feature == SignalData.feature:
            signals = SignalData(held_out=base.data.held_out)
            return dataclasses.replace(base, data=signals, schema="signal.pbtxt")
        if feature != ImageData.feature:
            line = f'expected "{SignalData.feature}" or "{ImageData.feature}"'
            raise self._mistake(f"{_FEATURE}={feature!r}: {line}", name, _FEATURE)
        # A detector of pictures has no meaning before it is said which are normal.
        normal = written.get("data.normal")
        data = ImageData(
            normal=tuple(map(str, normal)) if isinstance(normal, list) else (),
            held_out=base.data.held_out,
        )
        try:
            return dataclasses.replace(base, name=name, data=data, schema="image.pbtxt")
        except SettingError as error:
            raise self._mistake(str(error), name, _FEATURE) from error

    def _require_known(self, name: str, setting: str, kinds: Mapping[str, Any]) -> None:
        if setting in kinds:
            return
        if setting in SETTABLE:
            first = next(known for known in kinds if known.startswith(f"{setting}."))
            raise self._mistake(f"{setting}: expected settings, such as {first}", name, setting)
        if setting == "name":
            raise self._mistake(f"name: the table's own, [{name}], is the name", name, setting)
        raise self._mistake(f"{setting}: {unknown_setting(setting, name, kinds)}", name, setting)

    def _complete(self, name: str, values: dict[str, Any]) -> None:
        """Checks names of things in the package, and makes paths count from the file."""
        for field, known in (("model", model_names), ("schema", curated_names)):
            if field in values and values[field] not in known():
                line = f"{field}={values[field]!r}: expected one of {', '.join(known())}"
                hint = "; a file of your own is data.schema" if field == "schema" else ""
                raise self._mistake(line + hint, name, field)
        for setting in PATHS:
            if setting in values:
                values[setting] = absolute(values[setting], self._path.parent)

    def _line(self, name: str, setting: str) -> int:
        """Returns the line of a setting, or of the nearest table around it."""
        key = (name, *setting.split(".")) if setting else (name,)
        while key not in self._lines:
            key = key[:-1]
        return self._lines[key]

    def _mistake(self, line: str, name: str, setting: str = "") -> UserInputError:
        # Until the file is right no command gets as far as to read its own `--set`.
        line = line.replace("--set ", "set ")
        return UserInputError(f"{self._path}:{self._line(name, setting)}: [{name}] {line}")


def _flattened(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and (value or f"{prefix}{key}" in SETTABLE):
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(known: list[str], name: str) -> str:
    return " or ".join(f'"{other}"' for other in known if other != name)
