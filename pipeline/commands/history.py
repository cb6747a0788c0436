"""`aepipe runs`, `show` and `report`: past runs and their results."""

import dataclasses
import json
from pathlib import Path

import click
from click.core import ParameterSource

from pipeline.commands.options import home_option, json_option, pipelines_argument
from pipeline.commands.supervised import SupervisedCommand
from pipeline_config import PIPELINES, UserInputError
from serving.tensorflow_greeting import import_tensorflow


@click.group(invoke_without_command=True)
@home_option
@json_option
@click.pass_context
def runs(context: click.Context, home: Path, as_json: bool) -> None:
    """List past runs, newest first; `runs prune` removes old ones."""
    if context.invoked_subcommand is not None:
        return
    from pipeline.home import Home
    from pipeline.run.history import past_runs
    from pipeline.terminal import print_runs

    outcomes = past_runs(Home(home.absolute()))
    if as_json:
        click.echo(json.dumps({"runs": [outcome.as_dict() for outcome in outcomes]}))
    else:
        print_runs(outcomes)


@runs.command()
@pipelines_argument
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    required=True,
    help="How many of the newest runs of each pipeline stay.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@home_option
@json_option
@click.pass_context
def prune(
    context: click.Context,
    pipelines: list[str],
    keep: int,
    dry_run: bool,
    home: Path,
    as_json: bool,
) -> None:
    """Remove old runs with their artifacts, and what killed runs left.

    A run stays if a pushed version came from it, the next run takes stages or the baseline model
    from it, or it refused a span.
    """
    from pipeline.home import Home
    from pipeline.prune import prune_runs

    # `aepipe runs --home DIR prune` and `aepipe runs prune --home DIR` are the same.
    of_group = context.parent.params if context.parent else {}
    if context.get_parameter_source("home") is not ParameterSource.COMMANDLINE:
        home = of_group.get("home", home)
    as_json = as_json or of_group.get("as_json", False)
    output = Home(home.absolute())
    present = pipelines if output.metadata.is_dir() else []
    # All are held before the first run is removed: a refusal leaves everything as it was.
    with output.lock(*present):
        pruned = [prune_runs(output, name, keep, dry_run=dry_run) for name in present]
    if as_json:
        values = {"dry_run": dry_run, "pruned": [dataclasses.asdict(one) for one in pruned]}
        click.echo(json.dumps(values))
        return
    verb = "would remove" if dry_run else "removed"
    shown = [one for one in pruned if one.removed or one.killed or one.kept]
    for one in shown:
        count = len(one.removed) + len(one.killed)
        killed = f" ({len(one.killed)} killed)" if one.killed else ""
        size = f"{one.freed_bytes / 1e6:.1f} MB"
        click.echo(f"{one.pipeline}: {verb} {count} runs{killed}, {size}")
        for run_id, why in one.kept.items():
            click.echo(f"  kept {run_id}: {why}")
    if not shown:
        click.echo("nothing to remove")


@click.command()
@click.argument("run_id", metavar="RUN")
@home_option
def show(run_id: str, home: Path) -> None:
    """Print one run's lineage as JSON: data, config, code, metrics, blessing, artifacts."""
    from pipeline.home import Home
    from pipeline.run.lineage import lineage

    click.echo(json.dumps(lineage(Home(home.absolute()), run_id), indent=2, default=str))


@click.command(cls=SupervisedCommand)
@click.argument("run_id", metavar="[RUN]", required=False)
@home_option
def report(run_id: str | None, home: Path) -> None:
    """Write the HTML report of a run, the newest one by default, and name it."""
    from pipeline.home import Home
    from pipeline.metadata_file import require_usable
    from pipeline.run.history import find_run, past_runs
    from pipeline.run.lineage import open_store, run_executions
    from pipeline.run.outcome import REPORT_FILE

    output = Home(home.absolute())
    newest = [] if run_id else past_runs(output)[:1]
    if not run_id and not newest:
        raise UserInputError(f"no run in {output.root}: run a pipeline first, or name its --home")
    outcome = find_run(output, run_id) if run_id else newest[0]
    config = PIPELINES.named(outcome.pipeline)
    require_usable(output, outcome.pipeline)
    if not output.metadata_path(outcome.pipeline).exists():
        raise UserInputError(f"run {outcome.run_id} ended before its first stage: no report of it")
    store = open_store(output, outcome.pipeline)
    written = output.runs / outcome.run_id / REPORT_FILE
    if written.exists() and not run_executions(store, outcome.run_id):
        raise UserInputError(
            f"run {outcome.run_id} is not in {output.metadata_path(outcome.pipeline)} any more: "
            f"its report stays as it was written, {written}"
        )
    import_tensorflow()
    from pipeline.report.page import write_report

    click.echo(write_report(outcome, config, store, output.runs / outcome.run_id))
