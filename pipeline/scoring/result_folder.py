"""The folder that a prediction on Beam's workers writes."""

import contextlib
import dataclasses
import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from apache_beam.io.filesystems import FileSystems

from data.formats.rows import Rejected
from pipeline.home import require_literal
from pipeline.scoring.outputs import REJECTS_HEADER
from pipeline.scoring.request import is_remote
from pipeline.scoring.summary import RunningSummary, Summary
from pipeline_config import UserInputError
from serving.push_directory.durable_files import hidden_file, hidden_folder

SUMMARY_FILE = "_summary.json"
"""What reads a folder of Parquet files passes over names that begin like this."""

FOUND_FILE = "_found.json"
"""From the workers; no part of the output."""

_REJECTS = "_rejects"

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


def found_json(summary: RunningSummary, files: Sequence[str]) -> str:
    """Returns what the workers write to `FOUND_FILE` of a result folder.

    Args:
        summary: Of all rows.
        files: Names of the files that hold them, each with a suffix of the attempt that wrote it.
    """
    return json.dumps({"summary": dataclasses.asdict(summary.finish()), "files": files})


def read_found(folder: str) -> tuple[Summary, list[str]]:
    """Returns the summary and the names of files that `found_json` holds."""
    with FileSystems.open(f"{folder}/{FOUND_FILE}") as file:
        found = json.loads(file.read())
    summary = found["summary"]
    summary["first_rejects"] = [Rejected(**rejected) for rejected in summary["first_rejects"]]
    return Summary(**summary), found["files"]


def finish_parts(folder: str, summary: Summary, files: Sequence[str]) -> None:
    """Gives the files of a result folder their names, and removes those of failed attempts.

    Args:
        folder: From `result_folder`.
        summary: Is written beside them.
        files: Names as the workers wrote them: a name, a dot and a suffix.
    """
    written = [f"{folder}/{name}" for name in files]
    finished = [path.rpartition(".")[0] for path in written]
    if written:
        FileSystems.rename(written, finished)
    if left := sorted(set(_files(folder)) - set(finished)):
        FileSystems.delete(left)
    _write_json(f"{folder}/{SUMMARY_FILE}", dataclasses.asdict(summary))


def publish_rejects(folder: str, path: str | None) -> None:
    """Takes the rejected rows out of a result folder to the file that was asked for, if any.

    Args:
        folder: From `result_folder`, with its parts finished.
        path: Where to; a former file there is replaced, or removed if no row was rejected.
    """
    parts = sorted(_files(folder, f"{_REJECTS}-*"))
    if path is None:
        pass
    elif not parts:
        _remove(path)
    elif is_remote(path):
        joined = f"{folder}/{_REJECTS}.csv"
        with FileSystems.create(joined) as file:
            _join_rejects(parts, file)
        FileSystems.copy([joined], [path])
        parts.append(joined)
    else:
        with hidden_file(Path(path).absolute()) as hidden, hidden.open("wb") as file:
            _join_rejects(parts, file)
    if parts:
        FileSystems.delete(parts)


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


def _join_rejects(parts: Sequence[str], file: BinaryIO) -> None:
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
