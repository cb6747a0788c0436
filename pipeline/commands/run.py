"""`aepipe run`."""

import json
import sys
from pathlib import Path

import click

from pipeline.beam_profiles import PROFILES
from pipeline.commands.options import data_dir_option, home_option, json_option
from pipeline.commands.supervised import SupervisedCommand, print_interruption
from pipeline.supervisor import Interruption
from pipeline_config import PIPELINES

POST_SECONDS = 1.0
"""For a webhook to take its connection, and as much to answer, as the command has to end soon."""


class _RunCommand(SupervisedCommand):
    """Is ended at once: what a run has done by then is in its artifacts."""

    grace_seconds = 0.0

    def on_interruption(self, context: click.Context, interruption: Interruption) -> None:
        """Closes the record of the run that was interrupted and says what came of it."""
        from pipeline.run.record import close_interrupted
        from pipeline.run.webhook import post_outcome

        closed = close_interrupted(interruption)
        outcomes = [outcome for outcome, _ in closed]
        last = outcomes[-1] if outcomes else None
        if last and last.status in ("interrupted", "failed"):
            print_interruption(f"{last.run_id}: {last.reasons[0]}")
        elif last and last.notices:
            print_interruption(f"{last.run_id} pushed {last.pushed}: {last.notices[-1]}")
        else:
            print_interruption(interruption.reason)
        if context.params["as_json"]:
            click.echo(json.dumps({"runs": [outcome.as_dict() for outcome in outcomes]}))
        if closed and (webhook := closed[-1][1]):
            failure = post_outcome(
                closed[-1][0], webhook, delays=(), timeout=(POST_SECONDS, POST_SECONDS)
            )
            if failure:
                click.echo(f"aepipe: {failure}", err=True)


@click.command(cls=_RunCommand)
@click.argument("pipeline", type=click.Choice([*PIPELINES, "all"]))
@data_dir_option
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
    "--beam-profile",
    type=click.Choice(list(PROFILES)),
    default="local",
    show_default=True,
    help="Where Beam's pipelines run.",
)
@click.option(
    "--beam-arg",
    "beam_args",
    multiple=True,
    metavar="ARG",
    help="An option of Beam beside the profile's, such as --flink_master=HOST:PORT; repeatable.",
)
@click.option(
    "--if-new-data",
    is_flag=True,
    help="Run nothing if data, settings and code are as in the last run; for schedules.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show TFX's and TensorFlow's log.")
@home_option
@json_option
def run(
    pipeline: str,
    data_dir: Path | None,
    settings: tuple[str, ...],
    no_cache: bool,
    rerun_from: str | None,
    beam_profile: str,
    beam_args: tuple[str, ...],
    if_new_data: bool,
    verbose: bool,
    home: Path,
    as_json: bool,
) -> None:
    """Run a pipeline, from its raw data to the served model."""
    from pipeline.runners.local import RunRequest, run_pipelines

    request = RunRequest(
        names=tuple(PIPELINES) if pipeline == "all" else (pipeline,),
        home=home,
        data_dir=data_dir,
        settings=settings,
        cache=not no_cache,
        rerun_from=rerun_from,
        beam_profile=beam_profile,
        beam_args=beam_args,
        if_new_data=if_new_data,
        verbose=verbose,
    )
    outcomes = run_pipelines(request, human_output=sys.stderr if as_json else sys.stdout)
    for outcome in outcomes:
        if outcome.status == "failed":
            click.echo(f"aepipe: {outcome.reasons[0]}", err=True)
    if as_json:
        click.echo(json.dumps({"runs": [outcome.as_dict() for outcome in outcomes]}))
    sys.exit(max(outcome.exit_code for outcome in outcomes))
