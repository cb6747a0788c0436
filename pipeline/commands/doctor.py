"""`aepipe doctor`."""

import dataclasses
import json
import os
import sys
from pathlib import Path

import click

from pipeline.commands.options import home_option, json_option, pipelines_argument
from pipeline_config import PIPELINES

_EXIT_PROBLEM = 2


@click.command()
@pipelines_argument
@click.option(
    "--repair",
    "repairs",
    is_flag=True,
    help="Set damaged or lost metadata aside with its artifacts; the next run starts anew.",
)
@home_option
@json_option
def doctor(pipelines: list[str], repairs: bool, home: Path, as_json: bool) -> None:
    """Report versions, disk, data, output folder, metadata and pushed models.

    Each is one line; the exit code is 2 if something is wrong. --repair deletes nothing, and pushed
    versions stay.
    """
    from pipeline.doctor import check
    from pipeline.home import DATA_CACHE, Home
    from pipeline.metadata_repair import repair

    where = Home(home.absolute())
    moved = repair(where, pipelines) if repairs else []
    configs = [PIPELINES[name] for name in pipelines]
    findings = list(check(where, configs, os.environ, DATA_CACHE))
    ok = all(finding.ok for finding in findings)
    if as_json:
        values = {
            "ok": ok,
            "checks": [dataclasses.asdict(finding) for finding in findings],
            "moved": [dataclasses.asdict(one) for one in moved],
        }
        click.echo(json.dumps(values, default=str))
    else:
        for one in moved:
            click.echo(f"set aside  {one.source} -> {one.destination}")
        if repairs and not moved:
            click.echo("nothing to set aside")
        for finding in findings:
            state = "ok" if finding.ok else "PROBLEM"
            click.echo(f"{state:<8} {finding.check:<9} {finding.subject}: {finding.text}")
    sys.exit(0 if ok else _EXIT_PROBLEM)
