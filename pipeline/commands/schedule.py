"""`aepipe schedule`: recurring runs on an orchestrator."""

import tempfile
from pathlib import Path
from typing import Any

import click

from pipeline.commands.kubeflow_options import compile_files, target_options
from pipeline.commands.options import json_option
from pipeline.runners.kubeflow.target import KubeflowTarget
from pipeline_config import PIPELINES


@click.group()
def schedule() -> None:
    """Recurring runs on a Kubeflow Pipelines server."""


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
@click.option(
    "--endpoint",
    required=True,
    envvar="KF_PIPELINES_ENDPOINT",
    show_envvar=True,
    metavar="URL",
    help="The server, such as http://127.0.0.1:8080.",
)
@click.option("--namespace", metavar="N", help="Yours, if the server has many users.")
@click.option(
    "--token",
    envvar="KF_PIPELINES_TOKEN",
    show_envvar=True,
    metavar="T",
    help="Bearer token, if the server wants one.",
)
@json_option
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
    """Compile PIPELINE, upload it, and run it by a schedule: one run at a time, without catch-up.

    A schedule of the same name is replaced. `kfp recurring-run` lists, disables, enables and
    deletes schedules.
    """
    from pipeline.runners.kubeflow.schedule import Server, check, create, kubeflow_cron
    from pipeline.settings import configured
    from pipeline.terminal import print_rows

    # What is checked quickly is checked before TFX is loaded.
    expression = kubeflow_cron(cron)
    (config,) = configured([pipeline], settings)
    aimed = KubeflowTarget(**target)
    server = Server(endpoint=endpoint, namespace=namespace, token=token)
    check(server)
    with tempfile.TemporaryDirectory() as folder:
        (specification,) = compile_files([config], aimed, Path(folder))
        created = create(server, name or pipeline, pipeline, specification, expression)
    print_rows([created], as_json, "schedules")
