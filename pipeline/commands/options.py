"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

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
