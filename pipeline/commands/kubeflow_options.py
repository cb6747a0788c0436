"""Options of the commands that compile for Kubeflow Pipelines."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.commands.options import settings_option
from pipeline.runners.kubeflow.target import KubeflowTarget
from pipeline_config import PipelineConfig


def _image_of_this_version() -> str:
    # It takes as long to import as all of `aepipe --help` besides.
    from importlib.metadata import version

    return f"aepipe:{version('aepipe')}"


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
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


def compile_files(
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
