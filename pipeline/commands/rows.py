"""Rows of a result, as JSON or as a table."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import click


def print_rows(rows: Sequence[Any], as_json: bool, key: str) -> None:
    """Prints dataclasses as a JSON list under `key`, or as a table."""
    from pipeline.terminal import print_table

    values = [dataclasses.asdict(row) for row in rows]
    if as_json:
        click.echo(json.dumps({key: values}, default=str))
    else:
        print_table(values)
