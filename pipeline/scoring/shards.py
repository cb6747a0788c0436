"""The folder that a prediction on Beam's workers writes."""

import contextlib
import dataclasses
import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from apache_beam.io.filesystems import FileSystems

from data.formats.rows import Rejected
from pipeline.home import require_literal
from pipeline.scoring.hidden import hidden_file, hidden_folder
from pipeline.scoring.paths import is_remote
from pipeline.scoring.summary import Summary
from pipeline_config import UserInputError

SHARD = "part"
"""Files `part-00000-of-00004.parquet`, as Spark and Beam name them."""

SUMMARY_FILE = "_summary.json"
"""What reads a folder of Parquet files passes over names that begin like this."""

REJECTS_FILE = "_rejects.csv"

MARK_FILE = "_aepipe.json"
"""Lists the files of a prediction. Only a folder that has it, and no other file, is replaced."""


@contextlib.contextmanager
def result_folder(output: str | None, scratch: str | None) -> Iterator[str]:
    """Yields a folder for the workers to write to; it takes the output's name at the end.

    If the block raises, the output is as it was before. On a file system of its own scheme
    there is no renaming of folders, so there the files are renamed one by one.

    Args:
        output: None for a prediction of which only the summary is wanted.
        scratch: Where the summary then goes for a while; None for this machine's own.

    Raises:
        UserInputError: `output` is there and is not a former prediction, or one of the paths reads
            as a pattern.
    """
    for path in (output, scratch, None if output else tempfile.gettempdir()):
        if path is not None:
            require_literal(path, "name another folder")
    if output is None:
        with _scratch_folder(scratch) as folder:
            yield folder
        return
    output = output.rstrip("/")
    _require_replaceable(output)
    if not is_remote(output):
        # Links are followed before a name is looked at.
        target = Path(output).resolve()
        require_literal(str(target), "name another folder")
        with hidden_folder(target, lambda: _require_replaceable(output)) as hidden:
            yield str(hidden)
            _write_mark(str(hidden))
        return
    with _scratch_folder(output.rpartition("/")[0]) as folder:
        yield folder
        _write_mark(folder)
        _require_replaceable(output)
        former = _files(output, "**")
        if former:
            FileSystems.delete(former)
        if not FileSystems.exists(output):
            FileSystems.mkdirs(output)
        written = _files(folder)
        FileSystems.rename(written, [f"{output}/{_name(path)}" for path in written])


def publish_rejects(folder: str, path: str | None, count: int) -> None:
    """Takes the rejected rows out of a result folder to the file that was asked for, if any.

    Args:
        folder: From `result_folder`.
        path: Where to; a former file there is replaced, or removed if no row was rejected.
        count: How many there are.
    """
    rejects = f"{folder}/{REJECTS_FILE}"
    if path is None:
        pass
    elif not count:
        _remove(path)
    elif is_remote(path):
        FileSystems.copy([rejects], [path])
    else:
        # The one may be remote and the other not, so this goes through Beam's file systems.
        with (
            hidden_file(Path(path).absolute()) as hidden,
            FileSystems.open(rejects) as source,
            hidden.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
    FileSystems.delete([rejects])


def summary_json(summary: Summary) -> str:
    """Returns the content of `SUMMARY_FILE`."""
    return json.dumps(dataclasses.asdict(summary))


def read_summary(folder: str) -> Summary:
    """Returns what `summary_json` wrote to a result folder."""
    with FileSystems.open(f"{folder}/{SUMMARY_FILE}") as file:
        values = json.loads(file.read())
    values["first_rejects"] = [Rejected(**rejected) for rejected in values["first_rejects"]]
    return Summary(**values)


@contextlib.contextmanager
def _scratch_folder(parent: str | None) -> Iterator[str]:
    if parent is None:
        with tempfile.TemporaryDirectory() as folder:
            yield folder
        return
    folder = f"{parent.rstrip('/')}/.part-{secrets.token_hex(4)}"
    FileSystems.mkdirs(folder)
    try:
        yield folder
    finally:
        # An object store has no folders, so its files are what has to go.
        if left := _files(folder, "**"):
            FileSystems.delete(left)
        if FileSystems.exists(folder):
            FileSystems.delete([folder])


def _write_mark(folder: str) -> None:
    names = sorted(_name(path) for path in _files(folder))
    with FileSystems.create(f"{folder}/{MARK_FILE}", "application/json") as file:
        file.write(json.dumps({"made_by": "aepipe predict", "files": names}).encode())


def _require_replaceable(output: str) -> None:
    if not is_remote(output):
        path = Path(output)
        if path.exists() and not path.is_dir():
            raise UserInputError(f"{output}: there is a file: remove it or name another output")
        there = {str(found.relative_to(path)) for found in path.rglob("*")}
    else:
        there = {found.removeprefix(f"{output}/") for found in _files(output, "**")}
    strange = sorted(there - _marked(output)) if there else []
    if strange:
        raise UserInputError(
            f"{output}: there is a folder with {strange[0]} in it, which no prediction wrote: "
            "remove it or name another output"
        )


def _marked(output: str) -> set[str]:
    """Returns the files of a former prediction by its mark; none without one."""
    mark = f"{output}/{MARK_FILE}"
    if not FileSystems.exists(mark):
        return set()
    try:
        with FileSystems.open(mark) as file:
            content = json.loads(file.read())
        return {MARK_FILE, *content["files"]} if content["made_by"] == "aepipe predict" else set()
    except (ValueError, TypeError, KeyError):
        return set()


def _remove(path: str) -> None:
    if not is_remote(path):
        # Beam would take the name for a pattern.
        Path(path).unlink(missing_ok=True)
    elif FileSystems.exists(path):
        FileSystems.delete([path])


def _files(folder: str, pattern: str = "*") -> list[str]:
    (found,) = FileSystems.match([f"{folder}/{pattern}"])
    return [file.path for file in found.metadata_list]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
