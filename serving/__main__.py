"""`python -m serving`: the server without the other commands."""

import sys

import click

from pipeline_config import UserInputError
from serving.command import serve

if __name__ == "__main__":
    try:
        serve()
    except UserInputError as error:
        click.echo(f"aepipe: {error}", err=True)
        sys.exit(2)
