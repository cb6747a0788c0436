"""Options that several commands share."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from pipeline.settings import ALL
from pipeline_config import PIPELINES, UserInputError

if TYPE_CHECKING:
    from pipeline.config_file import ConfigFile

_HOME = f"{__name__}.home"
_CONFIG_PATH = f"{__name__}.config_path"
_CONFIG_FILE = f"{__name__}.config_file"


def home_of(context: click.Context) -> Path | None:
    """Returns the output folder that a command was called with, if it was there then."""
    return context.meta.get(_HOME)


def _remembered(context: click.Context, _: click.Parameter, home: Path) -> Path:
    if home.is_dir():
        context.meta[_HOME] = home.absolute()
    return home


def config_file_of(context: click.Context) -> "ConfigFile | None":
    """Returns the file of a user's own pipelines, if the command was called with one."""
    return context.meta.get(_CONFIG_FILE)


def _use_config(context: click.Context, option: click.Parameter, path: Path | None) -> None:
    """Puts the file's pipelines in force for the command.

    The option goes before a command's name or after it; the one after it counts, then the one
    before it, then the environment's.
    """
    if context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE:
        context.meta[_CONFIG_PATH] = path
    elif path is not None:
        context.meta.setdefault(_CONFIG_PATH, path)
    if context.parent is not None:
        _put_in_force(context)


def _put_in_force(context: click.Context) -> None:
    path = context.meta.get(_CONFIG_PATH)
    if path is None:
        return
    from pipeline.config_file import read_config_file

    file = read_config_file(path)
    file.put_in_force()
    context.meta[_CONFIG_FILE] = file


class PipelineName(click.Choice[str]):
    """The name of a pipeline that is in force when the argument is read.

    Args:
        *more: Names that are taken besides.
    """

    def __init__(self, *more: str) -> None:
        self._more = more
        self.case_sensitive = True

    @property
    def choices(self) -> Sequence[str]:  # type: ignore[override]
        """The names."""
        return (*PIPELINES, *self._more)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """Returns the names for a help page, which is printed before the file's option is read."""
        with contextlib.suppress(UserInputError):
            _put_in_force(ctx)
        return super().get_metavar(param, ctx)


def _names(_context: click.Context, _: click.Parameter, name: str) -> list[str]:
    return list(PIPELINES) if name == ALL else [name]


pipeline_argument = click.argument("pipeline", type=PipelineName())
"""`PIPELINE`; the command gets the name."""

pipelines_argument = click.argument(
    "pipelines", type=PipelineName(ALL), default=ALL, callback=_names
)
"""`[PIPELINE]`; the command gets a list of names, by default of all pipelines."""

_config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="AEPIPE_CONFIG",
    show_envvar=True,
    is_eager=True,
    expose_value=False,
    callback=_use_config,
    help="TOML file that adds or changes pipelines.",
)


def with_config_option(command: click.Command) -> click.Command:
    """Adds `--config` to a command and to all commands below it."""
    _config_option(command)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            with_config_option(below)
    return command


home_option = click.option(
    "--home",
    type=click.Path(path_type=Path),
    callback=_remembered,
    default=Path("output"),
    envvar="AEPIPE_HOME",
    show_default=True,
    help="Output folder: artifacts, metadata, runs, served models.",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on standard output."
)

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder of the raw data, or one file of it; default AEPIPE_DATA, else what was or can "
    "be downloaded.",
)

settings_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting, such as trainer.epochs=5; repeatable.",
)

beam_args_option = click.option(
    "--beam-arg",
    "beam_args",
    multiple=True,
    metavar="ARG",
    help="An option of Beam beside the profile's, such as --flink_master=HOST:PORT; repeatable.",
)
