"""Repairs a damaged or lost metadata file: what cannot be used is set aside."""

import dataclasses
import datetime
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from pipeline.home import Home
from pipeline.metadata_file import find_fault
from pipeline_config import UserInputError

_SQLITE_SUFFIXES = ("", "-journal", "-wal", "-shm")


@dataclasses.dataclass(frozen=True)
class Moved:
    """A file or folder that was set aside.

    Attributes:
        pipeline: Whose it is.
        source: Its path before.
        destination: Its path now.
    """

    pipeline: str
    source: Path
    destination: Path


def repair(home: Home, pipelines: Sequence[str]) -> list[Moved]:
    """Sets each damaged or lost metadata file aside with the artifacts that it listed.

    Both go, by renames, to `HOME/set-aside/TIME/`: numbers start again with a new file, and so must
    the folders of artifacts. The pipeline's next run starts anew; pushed versions stay.

    Args:
        home: Output folder.
        pipelines: Whose files to look at.

    Returns:
        What was moved; nothing if all files are whole.

    Raises:
        UserInputError: A pipeline runs, another process holds its file, or nothing can be moved.
    """
    if not home.root.is_dir():
        raise UserInputError(f"{home.root}: there is no such output folder: nothing to repair")
    if (unwritable := home.unwritable_folder()) is not None:
        raise UserInputError(unwritable)
    # All are held before the first is moved: a refusal leaves everything as it was.
    with home.lock(*pipelines if home.metadata.is_dir() else ()):
        faults = {pipeline: find_fault(home, pipeline) for pipeline in pipelines}
        for fault in faults.values():
            if fault is not None and not fault.repairable:
                raise UserInputError(fault.line)
        aside = _new_folder(home)
        return [
            moved
            for pipeline, fault in faults.items()
            if fault is not None
            for moved in _set_aside(home, pipeline, aside)
        ]


def _set_aside(home: Home, pipeline: str, aside: Path) -> list[Moved]:
    """Moves the file before the artifacts: what is left by a kill between is a lost file again."""
    file = home.metadata_path(pipeline)
    sources = [file.with_name(file.name + suffix) for suffix in _SQLITE_SUFFIXES]
    sources.append(home.artifacts(pipeline))
    moved = []
    for source in sources:
        if not os.path.lexists(source):
            continue
        destination = aside / source.relative_to(home.root)
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            source.rename(destination)
        except OSError as error:
            raise UserInputError(
                f"{source}: cannot be moved to {destination}: {error.strerror or error}"
            ) from error
        moved.append(Moved(pipeline, source, destination))
    return moved


def _new_folder(home: Home) -> Path:
    """Returns a name that is not taken; the folder is made when something is moved to it."""
    time = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}"
    names = itertools.chain([time], (f"{time}-{number}" for number in itertools.count(2)))
    folders = (home.set_aside / name for name in names)
    return next(folder for folder in folders if not folder.exists())
