"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipeline_config import PIPELINES

_HOME = f"{__name__}.home"


def home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--home`."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path),
        callback=_remembered,
        default=Path("output"),
        envvar="AEPIPE_HOME",
        show_default=True,
        help="Output folder: artifacts, metadata, runs, served models.",
    )(command)


def home_of(context: click.Context) -> Path | None:
    """Returns the output folder that a command was called with, if it was there then."""
    return context.meta.get(_HOME)


def _remembered(context: click.Context, _: click.Parameter, home: Path) -> Path:
    if home.is_dir():
        context.meta[_HOME] = home.absolute()
    return home


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="One JSON object on standard output."
    )(command)


def data_dir_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--data-dir`."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        help="Folder of the raw data; default AEPIPE_DATA, else what was or can be downloaded.",
    )(command)


def pipelines_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `[PIPELINE]`; the command gets a list of names, by default of all pipelines."""
    return click.argument(
        "pipelines",
        type=click.Choice([*PIPELINES, "all"]),
        default="all",
        callback=lambda _, __, name: list(PIPELINES) if name == "all" else [name],
    )(command)


def settings_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--set`."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="A setting, such as trainer.epochs=5; repeatable.",
    )(command)
