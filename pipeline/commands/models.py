"""`aepipe models`: lists pushed versions, and changes which of them is served."""

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.options import home_option, json_option
from pipeline_config import PIPELINES, UserInputError

if TYPE_CHECKING:
    from pipeline.models.pushed_versions import PushedVersion
    from serving.push_directory.rollback import Change

_MODEL = click.argument("model", metavar="MODEL")


@click.group()
def models() -> None:
    """Pushed models: list them, roll back, label, pin and prune versions.

    MODEL is a model's name or that of its pipeline. A running server picks a change up by itself.
    """


def _push_directory_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds `--models-dir`, `--home` and `--json`; the command gets `push_root` and `as_json`."""

    @functools.wraps(command)
    def call(home: Path, models_dir: Path | None, as_json: bool, **arguments: Any) -> None:
        command(push_root=_push_root(home, models_dir), as_json=as_json, **arguments)

    models_dir = click.option(
        "--models-dir",
        type=click.Path(path_type=Path),
        help="The push directory, MODEL/VERSION below it; default HOME/serving.",
    )
    return home_option(models_dir(json_option(call)))


@models.command(name="list")
@_push_directory_options
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
@_MODEL
@click.option("--to", type=int, metavar="V", help="The version; default the one before.")
@_push_directory_options
def rollback(model: str, to: int | None, push_root: Path, as_json: bool) -> None:
    """Serve an older version; what is newer is withheld until it is restored.

    --to a withheld newer version restores it.
    """
    from serving.push_directory import rollback as changes

    _report(push_root, [changes.rollback(_folder(push_root, model), to, report_wait)], as_json)


@models.command()
@_MODEL
@click.argument("label", metavar="LABEL")
@click.argument("version", metavar="[V]", type=int, required=False)
@click.option("--remove", is_flag=True, help="Take the label away.")
@_push_directory_options
def label(
    model: str, label: str, version: int | None, remove: bool, push_root: Path, as_json: bool
) -> None:
    """Name a version, such as `stable`; default V is the served one.

    A labelled version is served beside the default one and is never pruned.
    """
    from serving.push_directory import rollback as changes

    if remove and version is not None:
        raise UserInputError("--remove takes a label away from whatever it names: leave out V")
    folder = _folder(push_root, model)
    if remove:
        change = changes.remove_label(folder, label, report_wait)
    else:
        change = changes.label(folder, label, version, report_wait)
    _report(push_root, [change], as_json)


@models.command()
@_MODEL
@click.argument("version", metavar="[V]", type=int, required=False)
@_push_directory_options
def pin(model: str, version: int | None, push_root: Path, as_json: bool) -> None:
    """Serve V by default whatever is pushed; default V is the served one."""
    from serving.push_directory import rollback as changes

    _report(push_root, [changes.pin(_folder(push_root, model), version, report_wait)], as_json)


@models.command()
@_MODEL
@_push_directory_options
def unpin(model: str, push_root: Path, as_json: bool) -> None:
    """Let what is pushed be served again."""
    from serving.push_directory import rollback as changes

    _report(push_root, [changes.unpin(_folder(push_root, model), report_wait)], as_json)


@models.command()
@click.argument("model", metavar="[MODEL]", required=False)
@click.option(
    "--keep", type=click.IntRange(min=1), help="How many stay; default the pipeline's pusher.keep."
)
@_push_directory_options
def prune(model: str | None, keep: int | None, push_root: Path, as_json: bool) -> None:
    """Remove old versions of one model or of all; those labelled, pinned or served stay."""
    from serving.push_directory import rollback as changes
    from serving.push_directory.layout import pushed_models

    folders = [_folder(push_root, model)] if model else pushed_models(push_root)
    # A missing setting is reported before the first version is removed.
    keeps = {folder: keep or _configured_keep(folder) for folder in folders}
    made = [changes.prune_versions(folder, keeps[folder], report_wait) for folder in folders]
    _report(push_root, made, as_json)


def report_wait(sentence: str) -> None:
    """Prints that another process holds the model's folder."""
    click.echo(f"aepipe: {sentence}", err=True)


def _report(push_root: Path, changes: list["Change"], as_json: bool) -> None:
    """Records the changes in MLMD, then prints them and what could not be recorded."""
    notices = list(dict.fromkeys(filter(None, (_record(push_root, made) for made in changes))))
    if as_json:
        recorded = not notices and any(made.changed for made in changes)
        rows = [dataclasses.asdict(made) for made in changes]
        click.echo(json.dumps({"changes": rows, "recorded": recorded}))
    else:
        for made in changes:
            click.echo("\n".join(_sentences(made)))
    for notice in [*(notice for made in changes for notice in made.notices), *notices]:
        click.echo(f"notice: {notice}", err=True)


def _record(push_root: Path, made: "Change") -> str | None:
    """Writes a change to MLMD; returns the reason if it could not be written."""
    from pipeline.home import Home
    from pipeline.models.pushed_versions import pipeline_of

    if not made.changed:
        return None
    home = Home(push_root.parent)
    pipeline = pipeline_of(push_root / made.model, made.served)
    if push_root != home.push_root or pipeline is None:
        return f"not recorded: {push_root} is not in the output folder of a pipeline"
    if not home.metadata_path(pipeline).exists():
        return f"not recorded: there is no {home.metadata_path(pipeline)}"
    from pipeline.models.change_record import record_change

    return record_change(home, pipeline, made)


def _push_root(home: Path, models_dir: Path | None) -> Path:
    from pipeline.home import Home

    if models_dir is None:
        return Home(home.absolute()).push_root
    if not models_dir.is_dir():
        raise UserInputError(f"--models-dir {models_dir}: there is no such folder")
    return models_dir.absolute()


def _folder(push_root: Path, model: str) -> Path:
    from serving.push_directory.layout import find_model

    return find_model(push_root, model)


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


def _sentences(change: "Change") -> list[str]:
    """Returns what changed, what is served now, and what a later push will do."""
    lines = [f"{change.model}: {_effect(change)}", f"  served by default: {change.served}"]
    if change.withheld:
        lines.append(f"  withheld: {_numbers(change.withheld)}")
    if change.action in ("rollback", "unpin") and change.pinned is None:
        lines.append("  a version pushed later takes over")
    if change.action in ("rollback", "pin") and change.pinned is not None:
        lines.append(
            f"  {change.pinned} is pinned, and stays served whatever is pushed; "
            f"aepipe models unpin {change.model} ends that"
        )
    return lines


def _effect(change: "Change") -> str:
    before, now = change.from_version, change.to_version
    if change.action == "prune":
        return f"removed {_numbers(change.removed)}" if change.removed else "nothing to remove"
    if not change.changed:
        return "nothing changed"
    if change.action == "label":
        return f"{change.label} names {'no version any more' if now is None else now}"
    if change.action == "pin":
        return f"pinned {now}"
    if change.action == "unpin":
        return f"{before} is not pinned any more"
    if before is None or now is None or before == now:
        return "what is newer than the served version is withheld now"
    return f"rolled back from {before} to {now}" if now < before else f"restored {now}"


def _numbers(versions: list[int]) -> str:
    return ", ".join(map(str, versions))
