"""The command `aepipe`: one function a command, heavy imports inside.

Exit codes: 0 done; 1 a bug; 2 the user's input or setting; 3 a gate refused and nothing was pushed.
"""

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pipeline_config import PIPELINES, PipelineConfig, UserInputError

EXIT_USER = 2


class Aepipe(click.Group):
    """Turns a user's mistake into one line and exit code 2, without a traceback."""

    def invoke(self, context: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(context)
        except UserInputError as error:
            click.echo(f"aepipe: {error}", err=True)
            sys.exit(EXIT_USER)


def _home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--home",
        type=click.Path(path_type=Path),
        default=Path("output"),
        envvar="AEPIPE_HOME",
        show_default=True,
        help="Output folder: artifacts, metadata, runs, served models.",
    )(command)


def _json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--json", "as_json", is_flag=True, help="One JSON object on standard output."
    )(command)


def _data_dir_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        help="Folder of the raw data; default AEPIPE_DATA, else what was or can be downloaded.",
    )(command)


@click.group(cls=Aepipe, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aepipe")
def main() -> None:
    """The TensorFlow autoencoder tutorial as production TFX pipelines."""


@main.command()
@click.argument("pipeline", type=click.Choice([*PIPELINES, "all"]))
@_data_dir_option
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting, such as trainer.epochs=5; repeatable.",
)
@click.option("--no-cache", is_flag=True, help="Run every stage, whatever the cache holds.")
@click.option(
    "--from", "rerun_from", metavar="STAGE", help="Run STAGE and all that follows it again."
)
@click.option(
    "--beam-arg",
    "beam_args",
    multiple=True,
    metavar="ARG",
    help="An option for Beam's pipelines, such as --runner=FlinkRunner; repeatable.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show TFX's and TensorFlow's log.")
@_home_option
@_json_option
def run(
    pipeline: str,
    data_dir: Path | None,
    settings: tuple[str, ...],
    no_cache: bool,
    rerun_from: str | None,
    beam_args: tuple[str, ...],
    verbose: bool,
    home: Path,
    as_json: bool,
) -> None:
    """Run a pipeline, from its raw data to the served model."""
    from pipeline.run import RunRequest, run_pipelines

    request = RunRequest(
        names=tuple(PIPELINES) if pipeline == "all" else (pipeline,),
        home=home,
        data_dir=data_dir,
        settings=settings,
        cache=not no_cache,
        rerun_from=rerun_from,
        beam_args=beam_args,
        verbose=verbose,
    )
    outcomes = run_pipelines(request, human_output=sys.stderr if as_json else sys.stdout)
    for outcome in outcomes:
        if outcome.status == "failed":
            click.echo(f"aepipe: {outcome.reasons[0]}", err=True)
    if as_json:
        click.echo(json.dumps({"runs": [outcome.as_dict() for outcome in outcomes]}))
    sys.exit(max(outcome.exit_code for outcome in outcomes))


@main.command()
@_home_option
@_json_option
def runs(home: Path, as_json: bool) -> None:
    """List past runs, newest first."""
    from pipeline.history import past_runs
    from pipeline.home import Home
    from pipeline.terminal import print_runs

    outcomes = past_runs(Home(home.absolute()))
    if as_json:
        click.echo(json.dumps({"runs": [outcome.as_dict() for outcome in outcomes]}))
    else:
        print_runs(outcomes)


@main.command()
@click.argument("run_id", metavar="RUN")
@_home_option
def show(run_id: str, home: Path) -> None:
    """Print one run's lineage as JSON: data, config, code, metrics, blessing, artifacts."""
    from pipeline.history import lineage
    from pipeline.home import Home

    click.echo(json.dumps(lineage(Home(home.absolute()), run_id), indent=2, default=str))


@main.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@_home_option
def report(run_id: str | None, home: Path) -> None:
    """Write the HTML report of a run, the newest one by default, and name it."""
    from pipeline.history import find_run, past_runs
    from pipeline.home import Home
    from pipeline.lineage import open_store
    from pipeline.report.page import write_report

    where = Home(home.absolute())
    newest = [] if run_id else past_runs(where)[:1]
    if not run_id and not newest:
        raise UserInputError(f"no run in {where.root}: run a pipeline first, or name its --home")
    outcome = find_run(where, run_id) if run_id else newest[0]
    if not where.metadata_path(outcome.pipeline).exists():
        raise UserInputError(f"run {outcome.run_id} ended before its first stage: no report of it")
    # TensorFlow greets on standard error; only its errors are of interest here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    store = open_store(str(where.metadata_path(outcome.pipeline)))
    config = PIPELINES[outcome.pipeline]
    click.echo(write_report(outcome, config, store, where.runs / outcome.run_id))


@main.group()
def data() -> None:
    """The raw data: fetch it, see what is there, write the built-in sample."""


@data.command()
@click.argument("pipeline", type=click.Choice([*PIPELINES, "all"]), default="all")
@_json_option
def fetch(pipeline: str, as_json: bool) -> None:
    """Download and verify the tutorial's files."""
    from data.commands import fetch as fetch_files
    from pipeline.home import DATA_CACHE

    fetched = fetch_files(_configs(pipeline), cache_dir=DATA_CACHE)
    _print_rows(fetched, as_json, "files")


@data.command()
@_json_option
def status(as_json: bool) -> None:
    """Tell which of the tutorial's files are there, and whether they are unchanged."""
    from data.commands import status as file_status
    from pipeline.home import DATA_CACHE

    rows = file_status(cache_dir=DATA_CACHE, environ=os.environ)
    _print_rows(rows, as_json, "files")


@data.command()
@click.argument("pipeline", type=click.Choice([*PIPELINES, "all"]), default="all")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder to write to; later given to --data-dir.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="As in `aepipe run`.")
@_json_option
def sample(pipeline: str, out: Path, settings: tuple[str, ...], as_json: bool) -> None:
    """Write the built-in sample, of any size: --set data.sample_rows=500000."""
    from data.commands import sample as write_samples
    from pipeline.settings import configured

    names = list(PIPELINES) if pipeline == "all" else [pipeline]
    _print_rows(write_samples(configured(names, settings), out), as_json, "samples")


def _configs(pipeline: str) -> list[PipelineConfig]:
    return list(PIPELINES.values()) if pipeline == "all" else [PIPELINES[pipeline]]


def _print_rows(rows: Sequence[Any], as_json: bool, key: str) -> None:
    """Prints dataclasses as a JSON list under `key`, or as a table."""
    from pipeline.terminal import print_table

    values = [dataclasses.asdict(row) for row in rows]
    if as_json:
        click.echo(json.dumps({key: values}, default=str))
    else:
        print_table(values)
