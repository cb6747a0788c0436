"""`aepipe compile kubeflow` and `aepipe schedule kubeflow`."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.commands.compile import compile_
from pipeline.commands.options import (
    json_option,
    pipeline_argument,
    pipelines_argument,
    settings_option,
)
from pipeline.runners.kubeflow.target import KubeflowTarget
from pipeline_config import PipelineConfig


def _image_of_this_version() -> str:
    # It takes as long to import as all of `aepipe --help` besides.
    from importlib.metadata import version

    return f"aepipe:{version('aepipe')}"


def _target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds what a `KubeflowTarget` is made of, and `--set`."""
    options = (
        click.option(
            "--image",
            default=_image_of_this_version,
            show_default="aepipe:VERSION",
            metavar="I",
            help="Image of all steps, built by the Dockerfile.",
        ),
        click.option(
            "--pipeline-root",
            metavar="R",
            help="Bucket for artifacts, such as gs://BUCKET/PATH; default the server's own.",
        ),
        click.option(
            "--data-uri",
            default="pvc://aepipe/data",
            show_default=True,
            metavar="U",
            help="Data directory: pvc://CLAIM/PATH, gs://BUCKET/PATH, or a path in the image.",
        ),
        click.option(
            "--push-uri",
            default="pvc://aepipe/serving",
            show_default=True,
            metavar="P",
            help="Push directory: pvc://CLAIM/PATH, or a path in the image.",
        ),
        click.option(
            "--spans",
            type=click.Choice(["number", "date"]),
            help="The data comes in folders such as span-7, or span-2024-05-31.",
        ),
        click.option(
            "--beam-profile",
            # A step's container has neither Java nor a machine of its own to share out.
            type=click.Choice(["local", "dataflow"]),
            default="local",
            show_default=True,
            help="Where the steps' Beam pipelines run.",
        ),
        click.option(
            "--beam-arg",
            "beam_args",
            multiple=True,
            metavar="ARG",
            help="An option of Beam beside the profile's, such as --region=R; repeatable.",
        ),
        click.option(
            "--webhook-secret",
            metavar="NAME/KEY",
            help="Secret of the cluster that holds a webhook's URL: a run that ends badly is "
            "posted there.",
        ),
        settings_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@compile_.command(name="kubeflow")
@pipelines_argument
@_target_options
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("build/kubeflow"),
    show_default=True,
    help="Folder for PIPELINE.yaml.",
)
def compile_kubeflow(
    pipelines: list[str], settings: tuple[str, ...], out: Path, **target: Any
) -> None:
    """Write a pipeline as Kubeflow Pipelines 2 runs it; default all pipelines."""
    from pipeline.settings import configured

    for path in _compile_files(configured(pipelines, settings), KubeflowTarget(**target), out):
        click.echo(path)


@click.group()
def schedule() -> None:
    """Recurring runs on a Kubeflow Pipelines server."""


@schedule.command(name="kubeflow")
@pipeline_argument
@click.option(
    "--cron",
    required=True,
    metavar="CRON",
    help="Five fields as in a crontab, such as '30 2 * * *', or six with the second first.",
)
@click.option("--name", metavar="NAME", help="Of the schedule; default the pipeline's.")
@_target_options
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
def schedule_kubeflow(
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
        (specification,) = _compile_files([config], aimed, Path(folder))
        created = create(server, name or pipeline, pipeline, specification, expression)
    print_rows([created], as_json, "schedules")


def _compile_files(
    configs: Sequence[PipelineConfig], target: KubeflowTarget, folder: Path
) -> list[Path]:
    """Writes PIPELINE.yaml for each pipeline, without TensorFlow's and TFX's greetings.

    Raises:
        UserInputError: A pipeline cannot be compiled so, or a file cannot be written.
    """
    from pipeline.run.log import logs_to_file

    with logs_to_file(Path(os.devnull), verbose=False):
        from pipeline.runners.kubeflow.compile import compile_documents, write_documents

        compiled = {
            folder / f"{config.name}.yaml": compile_documents(config, target) for config in configs
        }
    # All are compiled before the first is written.
    for path, documents in compiled.items():
        write_documents(documents, path)
    return list(compiled)
