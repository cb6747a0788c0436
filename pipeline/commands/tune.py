"""`aepipe tune`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.options import (
    config_file_of,
    data_dir_option,
    home_option,
    json_option,
    pipeline_argument,
    settings_option,
)
from pipeline.commands.supervised import SupervisedCommand, print_interruption
from pipeline.supervisor import Interruption

if TYPE_CHECKING:
    from pipeline.run.outcome import RunOutcome
    from pipeline.tuning.result import TuningResult


class _TuneCommand(SupervisedCommand):
    """Is ended at once: each trial that has ended is in the study, and the next search goes on."""

    grace_seconds = 0.0

    def on_interruption(self, context: click.Context, interruption: Interruption) -> None:
        """Closes the record of the run, and prints the best trial so far."""
        from pipeline.home import Home
        from pipeline.run.end import close_interrupted
        from pipeline.terminal import plain_console
        from pipeline.tuning.result import print_result, read_result

        as_json = context.params["as_json"]
        home = Home(context.params["home"].absolute())
        outcomes, _ = close_interrupted(home, interruption)
        result = None
        for outcome in outcomes:
            print_interruption(f"{outcome.run_id}: {', '.join(outcome.reasons)}")
            result = read_result(home.runs / outcome.run_id)
            if as_json:
                _print_json(outcome, result)
            elif result:
                print_result(plain_console(), result)
        if not outcomes:
            print_interruption(interruption.reason)
        if result:
            click.echo("aepipe: the same command goes on from there", err=True)


@click.command(cls=_TuneCommand)
@pipeline_argument
@click.option(
    "--trials",
    type=int,
    default=20,
    show_default=True,
    help="How many trainings, beside those of an earlier search that goes on.",
)
@click.option("--minutes", type=float, help="Begin no training after so many minutes.")
@data_dir_option
@settings_option
@click.option("-v", "--verbose", is_flag=True, help="Show TFX's and TensorFlow's log.")
@home_option
@json_option
@click.pass_context
def tune(
    context: click.Context,
    pipeline: str,
    trials: int,
    minutes: float | None,
    data_dir: Path | None,
    settings: tuple[str, ...],
    verbose: bool,
    home: Path,
    as_json: bool,
) -> None:
    """Search better settings of the trainer, on training data alone.

    Each trial trains a model on what Transform wrote, and is judged by examples that were held out
    of the training split. What --set names is not searched.
    """
    from pipeline.runners.local import RunRequest
    from pipeline.tuning.search import Limits, tune_pipeline

    outcome, result = tune_pipeline(
        RunRequest((pipeline,), home=home, data_dir=data_dir, settings=settings, verbose=verbose),
        Limits(trials, minutes),
        config_file_of(context),
        human_output=sys.stderr if as_json else sys.stdout,
    )
    if outcome.status == "failed":
        click.echo(f"aepipe: {outcome.reasons[0]}", err=True)
    if as_json:
        _print_json(outcome, result)
    sys.exit(outcome.exit_code)


def _print_json(outcome: "RunOutcome", result: "TuningResult | None") -> None:
    tuning: Any = result and result.as_dict()
    click.echo(json.dumps({**outcome.as_dict(), "tuning": tuning}))
