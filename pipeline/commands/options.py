"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--home`."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path),
        default=Path("output"),
        envvar="AEPIPE_HOME",
        show_default=True,
        help="Output folder: artifacts, metadata, runs, served models.",
    )(command)


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
