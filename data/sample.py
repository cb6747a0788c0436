"""The built-in sample: what the pipelines run on if there is no other data."""

import json
import math
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from data import sample_digits, sample_heartbeats
from data.spans.files import matches, matching_files, patterns_of
from pipeline_config import ImageData, PipelineConfig, SignalData, UserInputError
from serving.push_directory.durable_files import publish

DEFAULT_SEED = 2003

MARKER = ".sample.json"
"""Says with which settings a folder's sample was written; hidden, so no file pattern matches it."""

SIGNAL_FILE = "ecg.csv"
TRAIN_FILES = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
EVAL_FILES = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")

_GENERATOR = 3
"""Rises with every change of the sample's content, so that an old sample is written anew."""


def write_sample(
    config: PipelineConfig, directory: Path, *, seed: int = DEFAULT_SEED
) -> dict[str, int]:
    """Writes a pipeline's sample to `directory / config.data.folder`; returns each file's size.

    Sizes and shape come from `config.data`. A sample of the same settings is left as it is. Files
    are written under temporary names and renamed, the marker last.

    Raises:
        UserInputError: The folder holds files of another origin that the pipeline would read too,
            or the pipeline's patterns do not match the names of the sample's files.
    """
    folder = directory / config.data.folder
    settings = _settings(config.data, seed)
    _refuse_unmatched_names(config.data)
    written = _marker(folder)
    _refuse_foreign_files(config.data, folder, written["files"])
    if written == {"settings": settings, "files": _sizes(folder, written["files"])}:
        return dict(written["files"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".sample-", dir=folder))
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise UserInputError(
            f"{folder}: cannot write the sample: {error.strerror}; name another folder"
        ) from error
    try:
        _generate(config.data, scratch, seed)
        sizes = _sizes(scratch, _names(config.data))
        marker = {"settings": settings, "files": sizes}
        (scratch / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
        for name in (*sizes, MARKER):
            publish(scratch / name, folder / name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return sizes


def _marker(folder: Path) -> dict[str, Any]:
    """Returns what an earlier call wrote: its settings, and the size of each file."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return {"settings": marker["settings"], "files": marker["files"]}
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError, KeyError):
        return {"settings": {}, "files": {}}


def _names(data: SignalData | ImageData) -> tuple[str, ...]:
    return (*TRAIN_FILES, *EVAL_FILES) if isinstance(data, ImageData) else (SIGNAL_FILE,)


def _sizes(folder: Path, names: Iterable[str]) -> dict[str, int]:
    present = [name for name in names if (folder / name).is_file()]
    return {name: (folder / name).stat().st_size for name in present}


def _refuse_unmatched_names(data: SignalData | ImageData) -> None:
    for pattern in patterns_of(data):
        if not any(matches(name, pattern) for name in _names(data)):
            raise UserInputError(
                f"no data given for the pattern {pattern!r}: use --data-dir "
                f"(the built-in sample has {', '.join(_names(data))})"
            )


def _refuse_foreign_files(data: SignalData | ImageData, folder: Path, own: Iterable[str]) -> None:
    names = {
        path.relative_to(folder).as_posix() for path in matching_files(folder, patterns_of(data))
    }
    foreign = sorted(names - set(own))
    if foreign:
        raise UserInputError(
            f"{folder / foreign[0]} is no sample of aepipe's: name another folder for the sample"
        )


def _settings(data: SignalData | ImageData, seed: int) -> dict[str, Any]:
    sizes = (
        {"train": data.sample_train, "eval": data.sample_eval}
        if isinstance(data, ImageData)
        else {"rows": data.sample_rows}
    )
    return {"generator": _GENERATOR, "seed": seed, "shape": list(data.shape), **sizes}


def _generate(data: SignalData | ImageData, folder: Path, seed: int) -> None:
    if isinstance(data, SignalData):
        rng = np.random.default_rng(seed)
        sample_heartbeats.write_csv(
            folder / SIGNAL_FILE, rows=data.sample_rows, length=math.prod(data.shape), rng=rng
        )
        return
    for (images, labels), count, training in (
        (TRAIN_FILES, data.sample_train, True),
        (EVAL_FILES, data.sample_eval, False),
    ):
        sample_digits.write_idx(
            folder / images,
            folder / labels,
            count=count,
            shape=data.shape,
            rng=np.random.default_rng([seed, training]),
            training=training,
        )
