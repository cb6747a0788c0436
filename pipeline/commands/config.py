"""`aepipe config`: the settings in force."""

import dataclasses
import json

import click

from pipeline.commands.options import (
    config_file_of,
    json_option,
    pipelines_argument,
    settings_option,
)


@click.command()
@pipelines_argument
@settings_option
@json_option
@click.option(
    "--toml", "as_toml", is_flag=True, help="As a file for --config, with the origins as comments."
)
@click.pass_context
def config(
    context: click.Context,
    pipelines: list[str],
    settings: tuple[str, ...],
    as_json: bool,
    as_toml: bool,
) -> None:
    """Print the settings in force, each with its origin: default, file, base or --set."""
    from pipeline import effective_settings as effective
    from pipeline.settings import available_settings, configured
    from pipeline.terminal import plain_console, print_header, print_table

    if as_json and as_toml:
        raise click.UsageError("--json and --toml exclude each other")
    file = config_file_of(context)
    given = {assignment.partition("=")[0].strip() for assignment in settings}
    found = [
        (one, effective.effective_settings(one, file, given & available_settings(one).keys()))
        for one in configured(pipelines, settings)
    ]
    if as_json:
        values = [
            {"pipeline": one.name, "settings": [dataclasses.asdict(row) for row in rows]}
            for one, rows in found
        ]
        click.echo(json.dumps({"pipelines": values}))
    elif as_toml:
        click.echo("\n".join(effective.as_toml(*item, file) for item in found), nl=False)
    else:
        console = plain_console()
        for one, rows in found:
            print_header(console, one)
            print_table(
                [
                    {**dataclasses.asdict(row), "value": effective.toml_value(row.value)}
                    for row in rows
                ]
            )
            console.print()
