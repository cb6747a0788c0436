"""A command whose work is ended within seconds of a signal, and leaves no temporary files."""

import functools
import sys
from typing import Any

import click

from pipeline.supervisor import Interruption, supervise

OWN_PROCESS = object()
"""`obj` of a command's context if the process is this command's alone, and so may be forked."""


class SupervisedCommand(click.Command):
    """Does its work in a forked process under `pipeline.supervisor`.

    Called from a program of others, which may have threads and has signal handlers of its own, it
    is a plain command.
    """

    grace_seconds = 2.0

    def invoke(self, context: click.Context) -> Any:
        """Runs the command."""
        if context.find_root().obj is OWN_PROCESS:
            supervise(functools.partial(self.on_interruption, context), self.grace_seconds)
        return super().invoke(context)

    def on_interruption(self, context: click.Context, interruption: Interruption) -> None:
        """Prints the one line of a command that ended before its time."""
        print_interruption(interruption.reason)


def print_interruption(reason: str) -> None:
    """Prints a line on standard error, below a progress bar that may not have ended its own."""
    if sys.stderr.isatty():
        click.echo(err=True)
    click.echo(f"aepipe: {reason}", err=True)
