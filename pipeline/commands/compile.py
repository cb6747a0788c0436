"""`aepipe compile`: files for other systems to run."""

from pathlib import Path

import click

from pipeline.commands.options import home_option
from pipeline_config import PIPELINES, UserInputError


@click.group(name="compile")
def compile_() -> None:
    """Write what another system needs to run or serve this."""


@compile_.command()
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="A model's name or that of its pipeline; repeatable. Default: all that are pushed.",
)
@click.option(
    "--storage-uri",
    default="pvc://aepipe/serving",
    show_default=True,
    metavar="URI",
    help="Where the cluster finds the push directory.",
)
@click.option(
    "--image", metavar="I", help="Serve with aepipe in this image, not with TensorFlow Serving."
)
@click.option("--namespace", metavar="N", help="Default: the one kubectl uses.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="File to write; default standard output."
)
@home_option
def kserve(
    models: tuple[str, ...],
    storage_uri: str,
    image: str | None,
    namespace: str | None,
    out: Path | None,
    home: Path,
) -> None:
    """Write a KServe InferenceService for each model, as YAML for `kubectl apply -f`."""
    from pipeline.home import Home
    from pipeline.kserve_manifest import Deployment, manifest
    from serving.push_directory.layout import find_model, pushed_models

    models_dir = Home(home.absolute()).push_root
    folders = [find_model(models_dir, model) for model in models] or pushed_models(models_dir)
    if not folders:
        raise UserInputError(
            f"{models_dir}: no model was pushed there: run a pipeline first "
            f"({', '.join(PIPELINES)}), or name its --home"
        )
    text = manifest(folders, Deployment(storage_uri=storage_uri, image=image, namespace=namespace))
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text)
    except OSError as error:
        raise UserInputError(f"--out {out}: {error.strerror or error}") from error
    click.echo(out)
