"""The command `aepipe`.

Exit codes: 0 done; 1 a bug; 2 the user's input or setting; 3 a gate refused and nothing was pushed;
129, 130 or 143 interrupted by SIGHUP, SIGINT or SIGTERM.
"""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.commands.compile import compile_
from pipeline.commands.config import config
from pipeline.commands.data import data
from pipeline.commands.doctor import doctor
from pipeline.commands.history import report, runs, show
from pipeline.commands.kubeflow import schedule
from pipeline.commands.models import models
from pipeline.commands.options import home_of, with_config_option
from pipeline.commands.predict import predict
from pipeline.commands.run import run
from pipeline.commands.supervised import OWN_PROCESS, print_interruption
from pipeline.commands.tune import tune
from pipeline_config import PIPELINES, UserInputError
from serving.command import serve

EXIT_USER = 2


class Aepipe(click.Group):
    """Turns a user's mistake into one line and exit code 2, without a traceback."""

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:  # type: ignore[override]
        """Runs the command of `args`; by default that of this process."""
        if args is None:
            extra["obj"] = OWN_PROCESS
        try:
            return super().main(args, **extra)
        finally:
            # Another call in this process may be with another --config.
            PIPELINES.use_built_in()

    def invoke(self, context: click.Context) -> Any:
        """Runs the command."""
        try:
            return super().invoke(context)
        except UserInputError as error:
            click.echo(f"aepipe: {error}", err=True)
            sys.exit(EXIT_USER)
        except BrokenPipeError:
            raise
        except Exception as error:
            line = _environment_fault(error, home_of(context))
            if line is None:
                raise
            click.echo(f"aepipe: {line}", err=True)
            sys.exit(EXIT_USER)
        except KeyboardInterrupt:
            print_interruption("interrupted by SIGINT")
            sys.exit(128 + signal.SIGINT)


def _environment_fault(error: Exception, home: Path | None) -> str | None:
    from pipeline.run.failures import file_fault

    if home and not home.is_dir():
        return f"{home}: the output folder was removed meanwhile ({type(error).__name__})"
    return file_fault(error) if isinstance(error, OSError) else None


@click.group(cls=Aepipe, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="aepipe")
def main() -> None:
    """The TensorFlow autoencoder tutorial as production TFX pipelines."""


for command in (
    *(
        run,
        tune,
        runs,
        show,
        report,
        config,
        data,
        serve,
        predict,
        models,
        compile_,
        schedule,
        doctor,
    ),
):
    main.add_command(command)

with_config_option(main)
