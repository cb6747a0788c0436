"""`aepipe data`: the raw data."""

import os
from pathlib import Path

import click

from pipeline.commands.options import json_option, pipelines_argument, settings_option
from pipeline.commands.supervised import SupervisedCommand
from pipeline_config import PIPELINES


@click.group()
def data() -> None:
    """The raw data: fetch it, see what is there, write the built-in sample."""


@data.command(cls=SupervisedCommand)
@pipelines_argument
@json_option
def fetch(pipelines: list[str], as_json: bool) -> None:
    """Download and verify the tutorial's files."""
    from data.commands import fetch as fetch_files
    from pipeline.home import DATA_CACHE
    from pipeline.terminal import print_rows

    fetched = fetch_files([PIPELINES[name] for name in pipelines], cache_dir=DATA_CACHE)
    print_rows(fetched, as_json, "files")


@data.command()
@json_option
def status(as_json: bool) -> None:
    """Show which of the tutorial's files are there, and whether they are unchanged."""
    from data.commands import status as file_status
    from pipeline.home import DATA_CACHE
    from pipeline.terminal import print_rows

    rows = file_status(cache_dir=DATA_CACHE, environ=os.environ)
    print_rows(rows, as_json, "files")


@data.command(cls=SupervisedCommand)
@pipelines_argument
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder to write to; later given to --data-dir.",
)
@settings_option
@json_option
def sample(pipelines: list[str], out: Path, settings: tuple[str, ...], as_json: bool) -> None:
    """Write the built-in sample, of any size: --set data.sample_rows=500000."""
    from data.commands import sample as write_samples
    from pipeline.settings import configured
    from pipeline.terminal import print_rows

    print_rows(write_samples(configured(pipelines, settings), out), as_json, "samples")
