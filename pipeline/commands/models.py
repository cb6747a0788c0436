"""`aepipe models`: what is pushed, and which of it is served."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.options import home_option, json_option
from pipeline_config import PIPELINES, UserInputError

if TYPE_CHECKING:
    from pipeline.models.change import Change
    from pipeline.models.pushed import PushedVersion

_MODEL = click.argument("model", metavar="MODEL")


@click.group()
def models() -> None:
    """Pushed models: list them, roll back, label, pin and prune versions.

    MODEL is a model's name or that of its pipeline. A running server picks a change up by itself.
    """


def _place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    models_dir = click.option(
        "--models-dir",
        type=click.Path(path_type=Path),
        help="The push directory, MODEL/VERSION below it; default HOME/serving.",
    )
    return home_option(models_dir(json_option(command)))


@models.command(name="list")
@_place_options
def list_(home: Path, models_dir: Path | None, as_json: bool) -> None:
    """List the pushed versions of all models, newest first."""
    from pipeline.models.pushed import pushed_versions
    from pipeline.terminal import print_table
    from serving.push_directory.models import pushed_models

    directory = _directory(home, models_dir)
    versions = [row for folder in pushed_models(directory) for row in pushed_versions(folder)]
    if as_json:
        click.echo(json.dumps({"versions": [dataclasses.asdict(row) for row in versions]}))
    else:
        print_table([_for_people(row) for row in versions])
        for row in versions:
            if row.fault is not None:
                click.echo(f"notice: {row.model} {row.version} is damaged: {row.fault}", err=True)


@models.command()
@_MODEL
@click.option("--to", type=int, metavar="V", help="The version; default the one before.")
@_place_options
def rollback(
    model: str, to: int | None, home: Path, models_dir: Path | None, as_json: bool
) -> None:
    """Serve an older version; what is newer is withheld until it is restored.

    --to a withheld newer version restores it.
    """
    from pipeline.models.change import rollback as roll_back

    _do(model, home, models_dir, as_json, lambda folder: roll_back(folder, to))


@models.command()
@_MODEL
@click.argument("label", metavar="LABEL")
@click.argument("version", metavar="[V]", type=int, required=False)
@click.option("--remove", is_flag=True, help="Take the label away.")
@_place_options
def label(
    model: str,
    label: str,
    version: int | None,
    remove: bool,
    home: Path,
    models_dir: Path | None,
    as_json: bool,
) -> None:
    """Name a version, such as `stable`; default V is the served one.

    A labelled version is served beside the default one and is never pruned.
    """
    from pipeline.models import change

    if remove and version is not None:
        raise UserInputError("--remove takes a label away from whatever it names: leave out V")

    def act(folder: Path) -> "Change":
        if remove:
            return change.remove_label(folder, label)
        return change.label(folder, label, version)

    _do(model, home, models_dir, as_json, act)


@models.command()
@_MODEL
@click.argument("version", metavar="[V]", type=int, required=False)
@_place_options
def pin(
    model: str, version: int | None, home: Path, models_dir: Path | None, as_json: bool
) -> None:
    """Serve V by default whatever is pushed; default V is the served one."""
    from pipeline.models import change

    _do(model, home, models_dir, as_json, lambda folder: change.pin(folder, version))


@models.command()
@_MODEL
@_place_options
def unpin(model: str, home: Path, models_dir: Path | None, as_json: bool) -> None:
    """Let what is pushed be served again."""
    from pipeline.models import change

    _do(model, home, models_dir, as_json, change.unpin)


@models.command()
@click.argument("model", metavar="[MODEL]", required=False)
@click.option(
    "--keep", type=click.IntRange(min=1), help="How many stay; default the pipeline's pusher.keep."
)
@_place_options
def prune(
    model: str | None, keep: int | None, home: Path, models_dir: Path | None, as_json: bool
) -> None:
    """Remove old versions of one model or of all; those labelled, pinned or served stay."""
    from pipeline.models.change import prune_versions
    from serving.push_directory.models import find_model, pushed_models

    directory = _directory(home, models_dir)
    folders = [find_model(directory, model)] if model else pushed_models(directory)
    # All settings are known before the first version is removed.
    keeps = {folder: keep or _configured_keep(folder) for folder in folders}
    changes = [prune_versions(folder, keeps[folder]) for folder in folders]
    _tell(directory, changes, as_json)


def _do(
    model: str,
    home: Path,
    models_dir: Path | None,
    as_json: bool,
    act: Callable[[Path], "Change"],
) -> None:
    from serving.push_directory.models import find_model

    directory = _directory(home, models_dir)
    _tell(directory, [act(find_model(directory, model))], as_json)


def _tell(models_dir: Path, changes: list["Change"], as_json: bool) -> None:
    """Records the changes and tells of them, in this order: a record that fails is told of too."""
    from pipeline.models.wording import sentences

    notices = list(dict.fromkeys(filter(None, (_record(models_dir, made) for made in changes))))
    if as_json:
        told = [dataclasses.asdict(made) for made in changes]
        recorded = not notices and any(made.changed for made in changes)
        click.echo(json.dumps({"changes": told, "recorded": recorded}))
    else:
        for made in changes:
            click.echo("\n".join(sentences(made)))
    for notice in [*(notice for made in changes for notice in made.notices), *notices]:
        click.echo(f"notice: {notice}", err=True)


def _record(models_dir: Path, made: "Change") -> str | None:
    """Writes a change to MLMD; returns why it could not be, or None."""
    from pipeline.home import Home
    from pipeline.models.pushed import pipeline_of

    if not made.changed:
        return None
    home = Home(models_dir.parent)
    pipeline = pipeline_of(models_dir / made.model, made.served)
    if models_dir != home.push_root or pipeline is None:
        return f"not recorded: {models_dir} is not in the output folder of a pipeline"
    if not home.metadata_path(pipeline).exists():
        return f"not recorded: there is no {home.metadata_path(pipeline)}"
    from pipeline.models.record import record_change

    return record_change(home.metadata_path(pipeline), made)


def _directory(home: Path, models_dir: Path | None) -> Path:
    from pipeline.home import Home

    if models_dir is None:
        return Home(home.absolute()).push_root
    if not models_dir.is_dir():
        raise UserInputError(f"--models-dir {models_dir}: there is no such folder")
    return models_dir.absolute()


def _configured_keep(folder: Path) -> int:
    from pipeline.models.pushed import pipeline_of
    from serving.push_directory.model_versions import served_version

    config = PIPELINES.get(pipeline_of(folder, served_version(folder)) or "")
    if config is None:
        raise UserInputError(f"{folder.name}: no pipeline says how many versions stay; add --keep")
    return config.pusher.keep


def _for_people(row: "PushedVersion") -> dict[str, str | int | None]:
    return {
        "model": row.model,
        "version": row.version,
        "state": row.state + (", pinned" if row.pinned else ""),
        "labels": ", ".join(row.labels),
        "pushed_at": row.pushed_at,
        "run": row.run_id,
        "metric": f"{row.metric} {row.value:.4g}" if row.value is not None else None,
        "threshold": f"{row.threshold:.4g}" if row.threshold is not None else None,
        "size": f"{row.bytes / 1e6:.1f} MB",
    }
