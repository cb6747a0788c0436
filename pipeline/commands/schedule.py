"""`aepipe schedule`: recurring runs on an orchestrator."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.kubeflow_options import compile_quietly, target_options
from pipeline.commands.options import json_option
from pipeline.commands.rows import print_rows
from pipeline.runners.kubeflow_target import KubeflowTarget
from pipeline_config import PIPELINES

if TYPE_CHECKING:
    from pipeline.runners.kubeflow_schedule import Schedule, Server


@click.group()
def schedule() -> None:
    """Recurring runs on a Kubeflow Pipelines server."""


def _server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    endpoint = click.option(
        "--endpoint",
        required=True,
        envvar="KF_PIPELINES_ENDPOINT",
        show_envvar=True,
        metavar="URL",
        help="The server, such as http://127.0.0.1:8080.",
    )
    namespace = click.option(
        "--namespace", metavar="N", help="Yours, where the server has many users."
    )
    token = click.option(
        "--token",
        envvar="KF_PIPELINES_TOKEN",
        show_envvar=True,
        metavar="T",
        help="Bearer token, where the server wants one.",
    )
    return endpoint(namespace(token(json_option(command))))


@schedule.command()
@click.argument("pipeline", type=click.Choice(list(PIPELINES)))
@click.option(
    "--cron",
    required=True,
    metavar="CRON",
    help="Five fields as in a crontab, such as '30 2 * * *', or six with the second first.",
)
@click.option("--name", metavar="NAME", help="Of the schedule; default the pipeline's.")
@target_options
@_server_options
def kubeflow(
    pipeline: str,
    cron: str,
    name: str | None,
    settings: tuple[str, ...],
    endpoint: str,
    namespace: str | None,
    token: str | None,
    as_json: bool,
    **target: Any,
) -> None:
    """Compile PIPELINE, upload it, and run it by a schedule: one run at a time, none made up for.

    A schedule of the same name is replaced.
    """
    from pipeline.runners.kubeflow_cron import kubeflow_cron
    from pipeline.runners.kubeflow_schedule import check, create
    from pipeline.settings import configured

    # What is quickly wrong is told of before TFX is loaded.
    expression = kubeflow_cron(cron)
    (config,) = configured([pipeline], settings)
    aimed = KubeflowTarget(**target)
    server = _server(endpoint, namespace, token)
    check(server)
    (documents,) = compile_quietly([config], aimed).values()
    from pipeline.runners.kubeflow import write_documents

    with tempfile.TemporaryDirectory() as folder:
        specification = Path(folder, f"{pipeline}.yaml")
        write_documents(documents, specification)
        created = create(server, name or pipeline, pipeline, specification, expression)
    _tell([created], as_json)


@schedule.command(name="list")
@_server_options
def list_(endpoint: str, namespace: str | None, token: str | None, as_json: bool) -> None:
    """List the schedules that were made here."""
    from pipeline.runners.kubeflow_schedule import list_schedules

    _tell(list_schedules(_checked(endpoint, namespace, token)), as_json)


@schedule.command()
@click.argument("name", metavar="NAME")
@_server_options
def pause(
    name: str, endpoint: str, namespace: str | None, token: str | None, as_json: bool
) -> None:
    """Start no runs until the schedule is resumed; one in progress goes on."""
    from pipeline.runners import kubeflow_schedule

    _tell(kubeflow_schedule.pause(_checked(endpoint, namespace, token), name), as_json)


@schedule.command()
@click.argument("name", metavar="NAME")
@_server_options
def resume(
    name: str, endpoint: str, namespace: str | None, token: str | None, as_json: bool
) -> None:
    """Start runs again; those that were missed are not made up for."""
    from pipeline.runners import kubeflow_schedule

    _tell(kubeflow_schedule.resume(_checked(endpoint, namespace, token), name), as_json)


@schedule.command()
@click.argument("name", metavar="NAME")
@_server_options
def delete(
    name: str, endpoint: str, namespace: str | None, token: str | None, as_json: bool
) -> None:
    """Remove a schedule; the pipeline, its runs and what they made stay."""
    from pipeline.runners import kubeflow_schedule

    _tell(kubeflow_schedule.delete(_checked(endpoint, namespace, token), name), as_json)


def _server(endpoint: str, namespace: str | None, token: str | None) -> "Server":
    from pipeline.runners.kubeflow_schedule import Server

    return Server(endpoint=endpoint, namespace=namespace, token=token)


def _checked(endpoint: str, namespace: str | None, token: str | None) -> "Server":
    from pipeline.runners.kubeflow_schedule import check

    server = _server(endpoint, namespace, token)
    check(server)
    return server


def _tell(schedules: Sequence["Schedule"], as_json: bool) -> None:
    if as_json or schedules:
        print_rows(schedules, as_json, "schedules")
    else:
        click.echo("no schedules")
