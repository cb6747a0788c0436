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

from pipeline.predict.hidden import hidden_file, hidden_folder
from pipeline.predict.request import is_remote
from pipeline.predict.rows import Rejected
from pipeline.predict.summary import Summary
from pipeline_config import UserInputError

SHARD = "part"
"""Files `part-00000-of-00004.parquet`, as Spark and Beam name them."""

SUMMARY_FILE = "_summary.json"
"""What reads a folder of Parquet files passes over names that begin like this."""

REJECTS_FILE = "_rejects.csv"


@contextlib.contextmanager
def result_folder(output: str | None, scratch: str | None) -> Iterator[str]:
    """Yields a folder for the workers to write to; it takes the output's name at the end.

    Where the block raises, the output is as it was before. On a file system of its own scheme
    there is no renaming of folders, so there the files are renamed one by one.

    Args:
        output: None for a prediction of which only the summary is wanted.
        scratch: Where the summary then goes for a while; None for this machine's own.

    Raises:
        UserInputError: `output` is there and is not a former prediction.
    """
    if output is None:
        with _scratch_folder(scratch) as folder:
            yield folder
        return
    output = output.rstrip("/")
    _require_replaceable(output)
    if not is_remote(output):
        with hidden_folder(Path(output).absolute()) as hidden:
            yield str(hidden)
        return
    with _scratch_folder(output.rpartition("/")[0]) as folder:
        yield folder
        former = _files(output)
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
        path: Where to; a former file there is replaced, or removed where no row was rejected.
        count: How many there are.
    """
    rejects = f"{folder}/{REJECTS_FILE}"
    if path is None:
        pass
    elif not count:
        if FileSystems.exists(path):
            FileSystems.delete([path])
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


def _require_replaceable(output: str) -> None:
    ours = (f"{SHARD}-", SUMMARY_FILE)
    strange = [path for path in _files(output) if not _name(path).startswith(ours)]
    is_file = not is_remote(output) and Path(output).is_file()
    if is_file or strange:
        what = "a file" if is_file else f"a folder with {_name(strange[0])} in it"
        raise UserInputError(f"{output}: there is {what}: remove it or name another output")


def _files(folder: str, pattern: str = "*") -> list[str]:
    (found,) = FileSystems.match([f"{folder}/{pattern}"])
    return [file.path for file in found.metadata_list]


def _name(path: str) -> str:
    return path.rpartition("/")[2]
