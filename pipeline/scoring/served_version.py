"""Which version of which model scores: what a server would serve, unless another is named."""

from pathlib import Path

import click

from pipeline_config import UserInputError
from serving.push_directory.layout import find_model
from serving.push_directory.model_versions import read_versions


def find_version(models_dir: Path, model: str, version: str | None) -> Path:
    """Returns the folder of a version of a model.

    Args:
        models_dir: The push directory.
        model: The model's name, or the name of the pipeline that pushes it.
        version: Number or label; None for the version that a server would serve, with a notice on
            standard error for each that it passes over.

    Raises:
        UserInputError: There is no such model, version or label, and the message names what there
            is; or the version cannot be served, and the message says why.
    """
    versions = read_versions(find_model(models_dir, model))
    if version is None:
        served = versions.served
        for number in versions.passed_over:
            fault = versions.damaged[number]
            click.echo(
                f"notice: {versions.folder.name}: {number} is passed over: {fault}", err=True
            )
        return versions.folder / str(served)
    labels = versions.file.labels
    chosen = str(labels[version]) if version in labels else version
    if chosen not in map(str, versions.numbers):
        there = ", ".join([*map(str, versions.numbers), *sorted(labels)])
        raise UserInputError(f"{versions.folder}: no version {version}; there is {there}")
    versions.require(int(chosen))
    return versions.folder / chosen
