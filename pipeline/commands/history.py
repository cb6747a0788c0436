"""`aepipe runs`, `show` and `report`: what past runs came to."""

import json
from pathlib import Path

import click

from pipeline.commands.options import home_option, json_option
from pipeline_config import PIPELINES, UserInputError
from serving.tensorflow_greeting import import_tensorflow


@click.command()
@home_option
@json_option
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


@click.command()
@click.argument("run_id", metavar="RUN")
@home_option
def show(run_id: str, home: Path) -> None:
    """Print one run's lineage as JSON: data, config, code, metrics, blessing, artifacts."""
    from pipeline.history import lineage
    from pipeline.home import Home

    click.echo(json.dumps(lineage(Home(home.absolute()), run_id), indent=2, default=str))


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False)
@home_option
def report(run_id: str | None, home: Path) -> None:
    """Write the HTML report of a run, the newest one by default, and name it."""
    from pipeline.history import find_run, past_runs
    from pipeline.home import Home
    from pipeline.lineage import open_store, run_executions
    from pipeline.metadata_file import require_usable
    from pipeline.outcome import REPORT_FILE

    where = Home(home.absolute())
    newest = [] if run_id else past_runs(where)[:1]
    if not run_id and not newest:
        raise UserInputError(f"no run in {where.root}: run a pipeline first, or name its --home")
    outcome = find_run(where, run_id) if run_id else newest[0]
    require_usable(where, outcome.pipeline)
    if not where.metadata_path(outcome.pipeline).exists():
        raise UserInputError(f"run {outcome.run_id} ended before its first stage: no report of it")
    store = open_store(str(where.metadata_path(outcome.pipeline)))
    written = where.runs / outcome.run_id / REPORT_FILE
    if written.exists() and not run_executions(store, outcome.run_id):
        raise UserInputError(
            f"run {outcome.run_id} is not in {where.metadata_path(outcome.pipeline)} any more: "
            f"its report stays as it was written, {written}"
        )
    import_tensorflow()
    from pipeline.report.page import write_report

    config = PIPELINES[outcome.pipeline]
    click.echo(write_report(outcome, config, store, where.runs / outcome.run_id))
