"""`aepipe data`: the raw data."""

import os
from pathlib import Path

import click

from pipeline.commands.options import json_option
from pipeline.commands.supervised import SupervisedCommand
from pipeline_config import PIPELINES, PipelineConfig


@click.group()
def data() -> None:
    """The raw data: fetch it, see what is there, write the built-in sample."""


@data.command(cls=SupervisedCommand)
@click.argument("pipeline", type=click.Choice([*PIPELINES, "all"]), default="all")
@json_option
def fetch(pipeline: str, as_json: bool) -> None:
    """Download and verify the tutorial's files."""
    from data.commands import fetch as fetch_files
    from pipeline.home import DATA_CACHE
    from pipeline.terminal import print_rows

    fetched = fetch_files(_configs(pipeline), cache_dir=DATA_CACHE)
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
@click.argument("pipeline", type=click.Choice([*PIPELINES, "all"]), default="all")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder to write to; later given to --data-dir.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="As in `aepipe run`.")
@json_option
def sample(pipeline: str, out: Path, settings: tuple[str, ...], as_json: bool) -> None:
    """Write the built-in sample, of any size: --set data.sample_rows=500000."""
    from data.commands import sample as write_samples
    from pipeline.settings import configured
    from pipeline.terminal import print_rows

    names = list(PIPELINES) if pipeline == "all" else [pipeline]
    print_rows(write_samples(configured(names, settings), out), as_json, "samples")


def _configs(pipeline: str) -> list[PipelineConfig]:
    return list(PIPELINES.values()) if pipeline == "all" else [PIPELINES[pipeline]]
