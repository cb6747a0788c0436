"""What the commands share that read or change the push directory: options, and how they report."""

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.options import home_option, json_option
from pipeline_config import UserInputError

if TYPE_CHECKING:
    from serving.push_directory.rollback import Change

MODEL = click.argument("model", metavar="MODEL")


def push_directory_options(command: Callable[..., None]) -> Callable[..., None]:
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


def model_folder(push_root: Path, model: str) -> Path:
    """Returns the folder of a model that is named on the command line.

    Raises:
        UserInputError: There is no such model.
    """
    from serving.push_directory.layout import find_model

    return find_model(push_root, model)


def report_wait(sentence: str) -> None:
    """Prints that another process holds the model's folder."""
    click.echo(f"aepipe: {sentence}", err=True)


def report_changes(push_root: Path, changes: Sequence["Change"], as_json: bool) -> None:
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


def _sentences(change: "Change") -> list[str]:
    """Returns what changed, what is served now, and what a later push will do."""
    lines = [f"{change.model}: {_effect(change)}", f"  served by default: {change.served}"]
    if change.withheld:
        lines.append(f"  withheld: {_numbers(change.withheld)}")
    if change.action in ("rollback", "unpin") and change.pinned is None:
        lines.append("  a version pushed later takes over")
    if change.action in ("rollback", "pin", "threshold") and change.pinned is not None:
        lines.append(
            f"  {change.pinned} is pinned, and stays served whatever is pushed; "
            f"aepipe models unpin {change.model} ends that"
        )
    if change.action == "threshold" and change.served == change.to_version:
        lines.append(f"  aepipe models rollback {change.model} goes back; a later run takes over")
    return lines


def _effect(change: "Change") -> str:
    before, now = change.from_version, change.to_version
    if change.action == "prune":
        return f"removed {_numbers(change.removed)}" if change.removed else "nothing to remove"
    if not change.changed:
        return "nothing changed"
    if change.threshold is not None:
        old, new = change.threshold.old_threshold, change.threshold.new_threshold
        return f"threshold {new:.6g} in the new version {now}; {before} has {old:.6g}"
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
