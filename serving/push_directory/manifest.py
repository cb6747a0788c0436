"""`aepipe.json`, the manifest of a version, and whether the version is whole.

The manifest holds run, data, metrics and signatures, and the SHA-256 of each file.
"""

import errno
import functools
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

MANIFEST_FILE = "aepipe.json"
FILES_KEY = "files"
"""Key of the manifest: path of each file of the version -> its SHA-256 in hex."""

READING_KEY = "reading"
"""Key of the manifest: how the run read its files; `aepipe predict` reads them so too."""

_GRAPH = "saved_model.pb"
_INDEX = "variables/variables.index"
_SHARD = re.compile(r"variables\.data-\d{5}-of-(?P<count>\d{5})")
_BLOCK_BYTES = 2**20
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


def write_manifest(
    version_directory: Path,
    *,
    model_name: str,
    version: int,
    run_id: str | None,
    run: Mapping[str, Any],
    evaluation: Mapping[str, Any] | None,
    signatures: Mapping[str, Any],
    judged_model: str,
) -> None:
    """Writes the manifest of a version, with the SHA-256 of each file that is there.

    Args:
        version_directory: The version's folder, with all its other files.
        model_name: Name of the model at the server.
        version: The version.
        run_id: The run that pushes it.
        run: Facts of the pipeline that do not change from run to run, such as its name.
        evaluation: Content of `evaluation.json`.
        signatures: JSON values: signature -> `inputs` and `outputs` -> name -> dtype and shape.
        judged_model: URI of the artifact that the version is a copy of.
    """
    judged = evaluation or {}
    content = {
        **run,
        "run_id": run_id,
        "model": model_name,
        "version": version,
        "pushed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "metrics": judged.get("metrics", {}),
        "threshold": judged.get("threshold"),
        "threshold_from": judged.get("threshold_from"),
        "blessed": judged.get("blessed"),
        "reasons": judged.get("reasons", []),
        "notes": judged.get("notes", []),
        "signatures": signatures,
        "judged_model": judged_model,
        FILES_KEY: file_digests(version_directory),
    }
    text = json.dumps(content, indent=2, sort_keys=True)
    Path(version_directory, MANIFEST_FILE).write_text(text)


def read_manifest(version_directory: Path) -> dict[str, Any]:
    """Returns the manifest of a version; empty if it has none or a damaged one."""
    try:
        return _load_manifest(version_directory) or {}
    except (OSError, ValueError):
        return {}


def find_damage(version_directory: Path) -> str | None:
    """Returns why a version cannot be served, or None if it can.

    It needs the graph and all shards of its variables. If its manifest has digests, each file is
    read once and compared; a file is read again when its size, times or inode change.

    Args:
        version_directory: The version's folder.

    Returns:
        A phrase that names the file, to follow the version in a message.

    Raises:
        OSError: A file exists and cannot be read.
    """
    damage = _missing_part(version_directory)
    if damage is not None:
        return damage
    try:
        expected = read_digests(version_directory)
    except ValueError as error:
        return str(error)
    if expected is None:
        return None
    for name, digest in sorted(expected.items()):
        if (version_directory / name).exists() and not (version_directory / name).is_file():
            return f"{name} is not a file"
        try:
            found = _digest(version_directory / name)
        except OSError as error:
            if error.errno in _GONE:
                return f"{name} is missing"
            raise
        if found != digest:
            return f"{name} differs from what was pushed"
    added = sorted(set(_files(version_directory)) - expected.keys() - {MANIFEST_FILE})
    return f"{added[0]} was not pushed with it" if added else None


def damage_of(version_directory: Path) -> str | None:
    """Returns why a version cannot be served, also if it cannot be read, or None if it can."""
    try:
        return find_damage(version_directory)
    except OSError as error:
        name = Path(error.filename).name if error.filename else "a file"
        return f"{name} cannot be read: {error.strerror or error}"


def file_digests(version_directory: Path) -> dict[str, str]:
    """Returns the SHA-256 in hex of each file of a version by its path; not of the manifest.

    Raises:
        OSError: A file cannot be read.
    """
    names = sorted(set(_files(version_directory)) - {MANIFEST_FILE})
    return {name: _digest(version_directory / name) for name in names}


def read_digests(version_directory: Path) -> dict[str, str] | None:
    """Returns the digests in a version's manifest by path, None if there are none.

    A version from an earlier release, or one that was copied by hand, has none.

    Raises:
        ValueError: The manifest is damaged; the message is one phrase.
        OSError: It cannot be read.
    """
    digests = (_load_manifest(version_directory) or {}).get(FILES_KEY)
    if digests is None:
        return None
    if not isinstance(digests, dict) or not all(_is_digest(*item) for item in digests.items()):
        raise ValueError(f"{MANIFEST_FILE} is damaged: {FILES_KEY!r} is not paths with digests")
    return digests


def _load_manifest(version_directory: Path) -> dict[str, Any] | None:
    """Returns the content of a version's manifest, None if it has none.

    Raises:
        ValueError: The manifest is damaged; the message is one phrase.
        OSError: It cannot be read.
    """
    path = version_directory / MANIFEST_FILE
    if not path.exists():
        return None
    if not path.is_file():
        raise ValueError(f"{MANIFEST_FILE} is damaged: it is not a file")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{MANIFEST_FILE} is damaged: it is not JSON") from error
    if not isinstance(content, dict):
        raise ValueError(f"{MANIFEST_FILE} is damaged: it is not an object")
    return content


def _missing_part(version_directory: Path) -> str | None:
    if not (version_directory / _GRAPH).is_file():
        return f"{_GRAPH} is missing"
    if not (version_directory / _INDEX).is_file():
        return f"{_INDEX} is missing"
    names = {path.name for path in (version_directory / _INDEX).parent.iterdir()}
    counts = {int(shard["count"]) for name in names if (shard := _SHARD.fullmatch(name))}
    if not counts:
        return "variables/variables.data-00000-of-00001 is missing"
    count = max(counts)
    for number in range(count):
        name = f"variables.data-{number:05}-of-{count:05}"
        if name not in names:
            return f"variables/{name} is missing"
    return None


def _files(directory: Path) -> Iterator[str]:
    """Yields the paths of the files below a folder that are not hidden, with `/`."""
    for parent, folders, files in os.walk(directory, onerror=_unless_gone):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith("."):
                yield Path(parent, name).relative_to(directory).as_posix()


def _unless_gone(error: OSError) -> None:
    if error.errno not in _GONE:
        raise error


def _digest(path: Path) -> str:
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        # Reading a pipe would not end.
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    return _read_digest(
        path, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, facts.st_dev
    )


@functools.lru_cache(maxsize=8192)
def _read_digest(path: Path, *_stamp: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _is_digest(path: Any, digest: Any) -> bool:
    parts = PurePosixPath(path).parts
    return (
        isinstance(digest, str)
        and re.fullmatch(r"[0-9a-f]{64}", digest) is not None
        and bool(parts)
        and parts[0] != "/"
        and ".." not in parts
    )
