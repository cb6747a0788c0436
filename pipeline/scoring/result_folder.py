"""The folder that a prediction on Beam's workers writes."""

import contextlib
import dataclasses
import json
import pickle
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipeline.home import require_literal
from pipeline.scoring.engine import Summary
from pipeline.scoring.outputs import REJECTS_HEADER
from pipeline.scoring.request import is_remote
from pipeline_config import UserInputError
from serving.push_directory.durable_files import hidden_file, hidden_folder

SUMMARY_FILE = "_summary.json"
"""What reads a folder of Parquet files passes over names that begin like this."""

_REJECTS = "_rejects"
_WORKERS = "_of-workers"
"""Begins the names of files that are no part of the output."""

_PICKLED_SUMMARY = f"{_WORKERS}-summary"

MARK_FILE = "_aepipe.json"
"""Lists the files of a prediction. Only a folder that has it, and no other file, is replaced."""


@contextlib.contextmanager
def result_folder(output: str | None, scratch: str | None) -> Iterator[str]:
    """Yields a folder for the workers to write to; it takes the output's name at the end.

    If the block raises, the output is as it was before. On a file system of its own scheme
    there is no renaming of folders, so there the files are renamed one by one.

    Args:
        output: None for a prediction of which only the summary is wanted.
        scratch: Where the summary then goes for a while; None for this machine's own folder.

    Raises:
        UserInputError: `output` is there and is not a former prediction, or one of the paths reads
            as a pattern.
    """
    if output is None:
        with _scratch_folder(scratch or tempfile.gettempdir()) as folder:
            yield folder
        return
    output = output.rstrip("/")
    require_literal(output, "name another folder")
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


@contextlib.contextmanager
def new_part(folder: str, name: str) -> Iterator[BinaryIO]:
    """Opens a new file of a result folder; it takes its name when it is whole.

    A retried worker replaces the file of its former attempt.
    """
    attempt, final = f"{folder}/{_WORKERS}-{name}.{secrets.token_hex(4)}", f"{folder}/{name}"
    with FileSystems.create(attempt, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        yield file
    if FileSystems.exists(final):
        FileSystems.delete([final])
    FileSystems.rename([attempt], [final])


def save_summary(summary: Summary, folder: str) -> None:
    """Writes the workers' summary of all rows for `finish_folder`."""
    with new_part(folder, _PICKLED_SUMMARY) as file:
        file.write(pickle.dumps(summary))


def finish_folder(folder: str, scored: str, rejects: str | None) -> Summary:
    """Returns the summary after writing its file and removing what is no part of the output.

    Args:
        folder: From `result_folder`, with all parts and the summary of all rows written.
        scored: The file that was scored, for messages.
        rejects: Where the rejected rows go, if anywhere; a former file there is replaced, or
            removed if no row was rejected.

    Raises:
        UserInputError: No row was scored.
    """
    with FileSystems.open(f"{folder}/{_PICKLED_SUMMARY}") as file:
        summary: Summary = pickle.loads(file.read())
    summary.require_examples(scored)
    parts = sorted(_files(folder, f"{_REJECTS}-*"))
    if rejects is not None:
        _publish_rejects(parts, folder, rejects)
    FileSystems.delete([*parts, *_files(folder, f"{_WORKERS}-*")])
    content = {
        "examples": summary.examples,
        "anomalies": summary.anomalies,
        "quantiles": summary.quantiles,
        "rejected": summary.rejected,
        "first_rejects": [dataclasses.asdict(rejected) for rejected in summary.first_rejects],
    }
    _write_json(f"{folder}/{SUMMARY_FILE}", content)
    return summary


def _publish_rejects(parts: list[str], folder: str, path: str) -> None:
    if not parts:
        _remove(path)
    elif is_remote(path):
        joined = f"{folder}/{_WORKERS}-rejects"
        with FileSystems.create(joined) as file:
            _join_rejects(parts, file)
        FileSystems.copy([joined], [path])
    else:
        with hidden_file(Path(path).absolute()) as hidden, hidden.open("wb") as file:
            _join_rejects(parts, file)


@contextlib.contextmanager
def _scratch_folder(parent: str) -> Iterator[str]:
    require_literal(parent, "name another folder")
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
    _write_json(f"{folder}/{MARK_FILE}", {"made_by": "aepipe predict", "files": names})


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


def _join_rejects(parts: list[str], file: BinaryIO) -> None:
    file.write(f"{REJECTS_HEADER}\n".encode())
    for part in parts:
        with FileSystems.open(part) as source:
            source.readline()
            shutil.copyfileobj(source, file)


def _write_json(path: str, content: Mapping[str, Any]) -> None:
    with FileSystems.create(path, "application/json") as file:
        file.write(json.dumps(content).encode())


def _files(folder: str, pattern: str = "*") -> list[str]:
    (found,) = FileSystems.match([f"{folder}/{pattern}"])
    return [file.path for file in found.metadata_list]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
