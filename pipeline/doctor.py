"""`aepipe doctor`: what there is around the pipelines, and what is wrong with it.

Nothing is changed, downloaded or imported for it.
"""

import dataclasses
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from data.catalog import CATALOG, files_for, verify
from data.sources import DATA_VARIABLE, OFFLINE_VARIABLE, RAW_FOLDER, is_offline, resolve
from pipeline.home import Home, size_of
from pipeline.metadata_file import find_fault
from pipeline.run.history import killed_runs, past_runs
from pipeline_config import PipelineConfig, UserInputError
from serving.push_directory.model_versions import read_versions

LEAST_FREE_BYTES = 500 * 2**20
"""Less than this is a problem: Fashion-MNIST's examples alone, raw and transformed as float32, are
some hundred megabytes before they are compressed."""

_PARTS = {
    "aepipe": "aepipe",
    "TFX": "tfx",
    "TensorFlow": "tensorflow",
    "Keras": "keras",
    "Beam": "apache-beam",
    "MLMD": "ml-metadata",
}

_SET_UP = "set it up again with `make setup`"

_LOCK_WAIT_SECONDS = 2.0


@dataclasses.dataclass(frozen=True)
class Finding:
    """Result of one check.

    Attributes:
        check: `versions`, `disk`, `data`, `home`, `metadata` or `models`.
        subject: What it is about: a folder, a pipeline or a model.
        ok: Whether nothing is wrong.
        text: What there is; if something is wrong, what to do.
    """

    check: str
    subject: str
    ok: bool
    text: str


def check(
    home: Home, configs: Sequence[PipelineConfig], environ: Mapping[str, str], cache_dir: Path
) -> Iterator[Finding]:
    """Yields what there is, and what is wrong.

    Args:
        home: Output folder.
        configs: The pipelines to look at.
        environ: Environment variables.
        cache_dir: Where downloads are kept.
    """
    yield from _versions()
    yield from check_disk(home.root)
    for config in configs:
        yield Finding("data", config.name, *_data(config, environ, cache_dir))
    yield Finding("home", str(home.root), *_home(home))
    for config in configs:
        yield Finding("metadata", config.name, *_metadata(home, config.name))
    for config in configs:
        model = config.pusher.model_name
        yield Finding("models", model, *_models(home.push_root / model))


def _versions() -> Iterator[Finding]:
    """Yields the versions, then each requirement of aepipe that is not met."""
    found = {name: _version(package) for name, package in _PARTS.items()}
    text = ", ".join(f"{name} {number or 'missing'}" for name, number in found.items())
    python = f"Python {platform.python_version()}"
    whole = sys.version_info[:2] == (3, 11) and None not in found.values()
    advice = "" if whole else f": Python 3.11 and all of them are needed: {_SET_UP}"
    yield Finding("versions", "installation", whole, f"{python}, {text}{advice}")
    for line in requires("aepipe") or () if found["aepipe"] else ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        installed = _version(requirement.name)
        if installed is None or not requirement.specifier.contains(installed, prereleases=True):
            text = f"{installed or 'missing'}: aepipe needs {requirement}: {_SET_UP}"
            yield Finding("versions", requirement.name, False, text)


def check_disk(home: Path) -> Iterator[Finding]:
    """Yields the free space of the output folder and of the folder for temporary files."""
    yield Finding("disk", "output folder", *_free_space(home, "--home"))
    try:
        temporary = Path(tempfile.gettempdir())
    except OSError as error:
        yield Finding("disk", "temporary files", False, f"{error.strerror}: set TMPDIR")
    else:
        yield Finding("disk", "temporary files", *_free_space(temporary, "TMPDIR"))


def _nearest_folder(path: Path) -> Path:
    """Returns the path, or the nearest folder above it that is there."""
    return next((folder for folder in (path, *path.parents) if folder.exists()), path)


def _free_space(path: Path, setting: str) -> tuple[bool, str]:
    folder = _nearest_folder(path)
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return False, f"{folder}: {error.strerror}"
    text = f"{free / 1e9:.1f} GB free in {path}"
    if free >= LEAST_FREE_BYTES:
        return True, text
    least = f"{LEAST_FREE_BYTES / 1e9:.1f} GB"
    return False, f"{text}: a run needs {least}: make room, or set {setting}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _data(config: PipelineConfig, environ: Mapping[str, str], cache_dir: Path) -> tuple[bool, str]:
    """Reports what a run would read. The data directory that is given never gives way to others."""
    if environ.get(DATA_VARIABLE):
        try:
            given = resolve(
                config, data_dir=None, environ=environ, cache_dir=cache_dir, fetch=False
            )
        except UserInputError as error:
            return False, f"{error} (now {DATA_VARIABLE} names it)"
        return True, f"given by {DATA_VARIABLE}: {given.directory / (given.file or '')}"
    raw = (cache_dir / RAW_FOLDER).absolute()
    files = files_for(config.data, CATALOG)
    there = [file for file in files if (raw / file.path).is_file()]
    for file in there:
        verdict = verify(file, raw / file.path)
        if not verdict.genuine:
            line = f"{raw / file.path}: {verdict.note}: fetch it again with `aepipe data fetch`"
            return False, line
    if files and len(there) == len(files):
        return True, f"downloaded: {raw / config.data.folder}"
    if is_offline(environ):
        text = f"none is given and {OFFLINE_VARIABLE} is set: a run takes the built-in sample"
    else:
        text = "none is given or fetched yet: a run downloads it, or takes the built-in sample"
    return True, text


def _home(home: Home) -> tuple[bool, str]:
    root = home.root
    if not root.exists():
        parent = _nearest_folder(root)
        if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
            return True, "there is none yet: the first run makes it"
        return False, f"{parent}: cannot be written: name another --home"
    fault = home.unwritable_folder()
    if fault is not None:
        return False, fault
    runs = past_runs(home)
    interrupted = sum(outcome.status == "interrupted" for outcome in runs) + len(killed_runs(home))
    count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    text = f"writable, {count}, {size_of(root) / 1e6:.0f} MB"
    if interrupted:
        text += f"; {interrupted} interrupted or killed: `aepipe runs prune` removes what they left"
    return True, text


def _metadata(home: Home, pipeline: str) -> tuple[bool, str]:
    fault = find_fault(home, pipeline, wait_seconds=_LOCK_WAIT_SECONDS)
    if fault is not None:
        return False, fault.line
    path = home.metadata_path(pipeline)
    text = f"{path}, {path.stat().st_size / 1e6:.1f} MB" if path.exists() else "no run yet"
    return True, text


def _models(folder: Path) -> tuple[bool, str]:
    try:
        versions = read_versions(folder)
        served = versions.served if versions.numbers else None
    except UserInputError as error:
        return False, str(error)
    if served is None:
        return True, "no version yet"
    count = len(versions.numbers)
    line = f"{count} version{'' if count == 1 else 's'}, {served} is served"
    for number, fault in versions.damaged.items():
        line = f"{line}; {folder}/{number} cannot be served: {fault}"
    return not versions.damaged, line
