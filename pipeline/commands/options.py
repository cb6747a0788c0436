"""Options that several commands share."""

from pathlib import Path

import click

from pipeline_config import PIPELINES

_HOME = f"{__name__}.home"


def home_of(context: click.Context) -> Path | None:
    """Returns the output folder that a command was called with, if it was there then."""
    return context.meta.get(_HOME)


def _remembered(context: click.Context, _: click.Parameter, home: Path) -> Path:
    if home.is_dir():
        context.meta[_HOME] = home.absolute()
    return home


def _names(_context: click.Context, _: click.Parameter, name: str) -> list[str]:
    return list(PIPELINES) if name == "all" else [name]


pipelines_argument = click.argument(
    "pipelines", type=click.Choice([*PIPELINES, "all"]), default="all", callback=_names
)
"""`[PIPELINE]`; the command gets a list of names, by default of all pipelines."""

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
