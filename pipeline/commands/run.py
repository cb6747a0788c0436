"""`aepipe run`."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline.beam_profiles import PROFILES
from pipeline.commands.options import (
    PipelineName,
    beam_args_option,
    data_dir_option,
    home_option,
    json_option,
    settings_option,
)
from pipeline.commands.supervised import SupervisedCommand, print_interruption
from pipeline.settings import ALL, configured
from pipeline.supervisor import Interruption
from pipeline_config import PIPELINES

if TYPE_CHECKING:
    from pipeline.run.outcome import RunOutcome

_POST_SECONDS = 1.0
"""For a webhook to take its connection, and as much to answer, as the command has to end soon."""


class _RunCommand(SupervisedCommand):
    """Is ended at once: what a run has done by then is in its artifacts."""

    grace_seconds = 0.0

    def on_interruption(self, context: click.Context, interruption: Interruption) -> None:
        """Closes the record of the run that was interrupted, prints and posts its outcome."""
        from pipeline.home import Home
        from pipeline.run.end import close_interrupted
        from pipeline.run.webhook import post_outcome

        home = Home(context.params["home"].absolute())
        outcomes, was_interrupted = close_interrupted(home, interruption)
        last = outcomes[-1] if outcomes else None
        if last and last.status in ("interrupted", "failed"):
            print_interruption(f"{last.run_id}: {last.reasons[0]}")
        elif last and last.notices:
            print_interruption(f"{last.run_id} pushed {last.pushed}: {last.notices[-1]}")
        else:
            print_interruption(interruption.reason)
        if context.params["as_json"]:
            _print_json(outcomes)
        if last and was_interrupted:
            (config,) = configured([last.pipeline], context.params["settings"])
            failure = post_outcome(last, config.schedule, retries=0, timeout=(_POST_SECONDS,) * 2)
            if failure:
                click.echo(f"aepipe: {failure}", err=True)


@click.command(cls=_RunCommand)
@click.argument("pipeline", type=PipelineName(ALL))
@data_dir_option
@settings_option
@click.option(
    "--no-cache",
    "cache",
    flag_value=False,
    default=True,
    help="Run every stage, whatever the cache holds.",
)
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
@beam_args_option
@click.option(
    "--if-new-data",
    is_flag=True,
    help="Run nothing if data, settings and code are as in the last run; for schedules.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show TFX's and TensorFlow's log.")
@home_option
@json_option
def run(pipeline: str, as_json: bool, **options: Any) -> None:
    """Run a pipeline, from its raw data to the served model.

    all runs those that take a few minutes, one after the other: not basic_plus and denoise_plus.
    """
    from pipeline.runners.local import RunRequest, run_pipelines

    names = PIPELINES.run_by_all if pipeline == ALL else (pipeline,)
    outcomes = run_pipelines(
        RunRequest(names, **options), human_output=sys.stderr if as_json else sys.stdout
    )
    for outcome in outcomes:
        if outcome.status == "failed":
            click.echo(f"aepipe: {outcome.reasons[0]}", err=True)
    if as_json:
        _print_json(outcomes)
    sys.exit(max(outcome.exit_code for outcome in outcomes))


def _print_json(outcomes: Sequence["RunOutcome"]) -> None:
    click.echo(json.dumps({"runs": [outcome.as_dict() for outcome in outcomes]}))
