"""What is installed, and what there is room for; found without importing it."""

import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from pipeline.doctor.finding import Finding

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


def check_versions() -> Iterator[Finding]:
    """Yields the versions, then each requirement of aepipe that is not met."""
    found = {name: _version(package) for name, package in _PARTS.items()}
    text = ", ".join(f"{name} {number or 'missing'}" for name, number in found.items())
    python = f"Python {platform.python_version()}"
    whole = sys.version_info[:2] == (3, 11) and None not in found.values()
    advice = "" if whole else ": Python 3.11 and all of them are needed: {_SET_UP}"
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
    yield _free_space("output folder", home)
    try:
        temporary = Path(tempfile.gettempdir())
    except OSError as error:
        yield Finding("disk", "temporary files", False, f"{error.strerror}: set TMPDIR")
    else:
        yield _free_space("temporary files", temporary)


def nearest_folder(path: Path) -> Path:
    """Returns the path, or the nearest folder above it that is there."""
    return next((folder for folder in (path, *path.parents) if folder.exists()), path)


def _free_space(subject: str, path: Path) -> Finding:
    folder = nearest_folder(path)
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding("disk", subject, False, f"{folder}: {error.strerror}")
    text = f"{free / 1e9:.1f} GB free in {path}"
    if free >= LEAST_FREE_BYTES:
        return Finding("disk", subject, True, text)
    least = f"{LEAST_FREE_BYTES / 1e9:.1f} GB"
    variable = "--home" if subject == "output folder" else "TMPDIR"
    return Finding(
        "disk", subject, False, f"{text}: a run needs {least}: make room, or set {variable}"
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
