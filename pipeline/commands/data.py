"""`aepipe data`: the raw data."""

import json
import os
import sys
from pathlib import Path

import click

from pipeline.commands.options import (
    data_dir_option,
    home_option,
    json_option,
    pipeline_argument,
    pipelines_argument,
    settings_option,
)
from pipeline.commands.supervised import SupervisedCommand
from pipeline_config import PIPELINES, UserInputError


@click.group()
def data() -> None:
    """The raw data: check your own, infer its schema, fetch the tutorial's, write a sample."""


@data.command()
@pipeline_argument
@data_dir_option
@settings_option
@home_option
@json_option
def check(
    pipeline: str, data_dir: Path | None, settings: tuple[str, ...], home: Path, as_json: bool
) -> None:
    """Read your data as a run would; print what is in it, what is odd, and what mends it.

    Nothing is trained or written. Exit code 0 if a run would accept the data, 2 if not.
    """
    from data.sources import DATA_VARIABLE
    from pipeline.check import REFUSED, check_data
    from pipeline.check_page import print_check
    from pipeline.home import Home
    from pipeline.run.begin import read_data
    from pipeline.settings import configured
    from pipeline.terminal import plain_console

    if data_dir is None and not os.environ.get(DATA_VARIABLE):
        raise UserInputError(f"no data given: name its folder with --data-dir or {DATA_VARIABLE}")
    (config,) = configured([pipeline], settings)
    runs = Home(home.absolute())
    found = check_data(config, lambda config: read_data(config, runs, data_dir))
    if as_json:
        click.echo(json.dumps(found.as_dict(), default=str))
    else:
        print_check(plain_console(), found)
    sys.exit(0 if found.is_accepted else REFUSED)


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


@data.command(cls=SupervisedCommand)
@pipeline_argument
@data_dir_option
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write, such as heart.pbtxt; a run takes it by the setting data.schema.",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@settings_option
@json_option
def schema(
    pipeline: str,
    data_dir: Path | None,
    out: Path,
    force: bool,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Infer what the examples look like, with slack, as a schema for a person to review."""
    from pipeline.schema_inference import write_inferred_schema
    from pipeline.settings import configured
    from pipeline.terminal import print_rows

    (config,) = configured([pipeline], settings)
    written = write_inferred_schema(config, data_dir, out, replace=force)
    print_rows([written], as_json, "schemas")
