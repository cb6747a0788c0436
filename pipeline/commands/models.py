"""`aepipe models`: lists pushed versions, and changes which of them is served."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.push_directory import (
    MODEL,
    model_folder,
    push_directory_options,
    report_changes,
    report_wait,
)
from pipeline.commands.threshold import threshold
from pipeline_config import PIPELINES, UserInputError

if TYPE_CHECKING:
    from pipeline.models.pushed_versions import PushedVersion


@click.group()
def models() -> None:
    """Pushed models: list them, roll back, label, pin and prune versions, set a threshold.

    MODEL is a model's name or that of its pipeline. A running server picks a change up by itself.
    """


@models.command(name="list")
@push_directory_options
def list_(push_root: Path, as_json: bool) -> None:
    """List the pushed versions of all models, newest first."""
    from pipeline.models.pushed_versions import pushed_versions
    from pipeline.terminal import print_table
    from serving.push_directory.layout import pushed_models

    versions = [row for folder in pushed_models(push_root) for row in pushed_versions(folder)]
    if as_json:
        click.echo(json.dumps({"versions": [dataclasses.asdict(row) for row in versions]}))
        return
    print_table([_table_row(row) for row in versions])
    for row in versions:
        if row.fault is not None:
            click.echo(f"notice: {row.model} {row.version} is damaged: {row.fault}", err=True)


@models.command()
@MODEL
@click.option("--to", type=int, metavar="V", help="The version; default the one before.")
@push_directory_options
def rollback(model: str, to: int | None, push_root: Path, as_json: bool) -> None:
    """Serve an older version; what is newer is withheld until it is restored.

    --to a withheld newer version restores it.
    """
    from serving.push_directory import rollback as changes

    report_changes(
        push_root, [changes.rollback(model_folder(push_root, model), to, report_wait)], as_json
    )


@models.command()
@MODEL
@click.argument("label", metavar="LABEL")
@click.argument("version", metavar="[V]", type=int, required=False)
@click.option("--remove", is_flag=True, help="Take the label away.")
@push_directory_options
def label(
    model: str, label: str, version: int | None, remove: bool, push_root: Path, as_json: bool
) -> None:
    """Name a version, such as `stable`; default V is the served one.

    A labelled version is served beside the default one and is never pruned.
    """
    from serving.push_directory import rollback as changes

    if remove and version is not None:
        raise UserInputError("--remove takes a label away from whatever it names: leave out V")
    folder = model_folder(push_root, model)
    if remove:
        change = changes.remove_label(folder, label, report_wait)
    else:
        change = changes.label(folder, label, version, report_wait)
    report_changes(push_root, [change], as_json)


@models.command()
@MODEL
@click.argument("version", metavar="[V]", type=int, required=False)
@push_directory_options
def pin(model: str, version: int | None, push_root: Path, as_json: bool) -> None:
    """Serve V by default whatever is pushed; default V is the served one."""
    from serving.push_directory import rollback as changes

    report_changes(
        push_root, [changes.pin(model_folder(push_root, model), version, report_wait)], as_json
    )


@models.command()
@MODEL
@push_directory_options
def unpin(model: str, push_root: Path, as_json: bool) -> None:
    """Let what is pushed be served again."""
    from serving.push_directory import rollback as changes

    report_changes(push_root, [changes.unpin(model_folder(push_root, model), report_wait)], as_json)


@models.command()
@click.argument("model", metavar="[MODEL]", required=False)
@click.option(
    "--keep", type=click.IntRange(min=1), help="How many stay; default the pipeline's pusher.keep."
)
@push_directory_options
def prune(model: str | None, keep: int | None, push_root: Path, as_json: bool) -> None:
    """Remove old versions of one model or of all; those labelled, pinned or served stay."""
    from serving.push_directory import rollback as changes
    from serving.push_directory.layout import pushed_models

    folders = [model_folder(push_root, model)] if model else pushed_models(push_root)
    # A missing setting is reported before the first version is removed.
    keeps = {folder: keep or _configured_keep(folder) for folder in folders}
    made = [changes.prune_versions(folder, keeps[folder], report_wait) for folder in folders]
    report_changes(push_root, made, as_json)


def _configured_keep(folder: Path) -> int:
    from pipeline.models.pushed_versions import pipeline_of
    from serving.push_directory.model_versions import served_version

    config = PIPELINES.get(pipeline_of(folder, served_version(folder)) or "")
    if config is None:
        raise UserInputError(f"{folder.name}: no pipeline says how many versions stay; add --keep")
    return config.pusher.keep


def _table_row(row: "PushedVersion") -> dict[str, str | int | None]:
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


models.add_command(threshold)
