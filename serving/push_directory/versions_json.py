"""`versions.json`: labels, pin and withheld versions of one model; they choose what is served.

A model server reads the same file. It is replaced by one rename, so a server reads either the old
or the new content, and a rollback is one new file.
"""

import dataclasses
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pipeline_config import UserInputError, is_name
from serving.push_directory import durable_files

VERSION_FILE = "versions.json"

_EXAMPLE = '{"labels": {"stable": 12}, "pinned": 12, "withheld": [13]}'


@dataclasses.dataclass(frozen=True)
class VersionFile:
    """Content of `versions.json`; the defaults if there is no such file.

    Attributes:
        labels: Label that a request may name -> version. These versions are served beside the
            default one and are never pruned.
        pinned: Version that is served by default whatever is pushed later; never pruned.
        withheld: Versions that were rolled back and are not served by default; a version that is
            pushed later is.
    """

    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)
    pinned: int | None = None
    withheld: frozenset[int] = frozenset()

    def served(self, versions: Collection[int]) -> int:
        """Returns the version that is served by default.

        It is the pinned one if that exists, else the newest that is not withheld. If all are
        withheld it is the newest: serving a doubtful model is better than serving none.

        Args:
            versions: Those that can be served; at least one.
        """
        return self.by_preference(versions)[0]

    def by_preference(self, versions: Collection[int]) -> list[int]:
        """Returns the versions by their priority for the default; the first that loads is served.

        The pinned one comes first, then the others from new to old, then the withheld ones.
        """
        newest_first = sorted(versions, reverse=True)
        return sorted(newest_first, key=lambda v: (v != self.pinned, v in self.withheld))


def read_version_file(model_directory: Path) -> VersionFile:
    """Returns the content of `versions.json`, the defaults if there is no such file.

    Raises:
        UserInputError: The file is malformed or cannot be read; the message names the file and
            the first mistake.
    """
    path = model_directory / VERSION_FILE
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        if path.is_symlink():
            raise UserInputError(f"{path}: cannot be read: it is a link to nothing") from None
        return VersionFile()
    except OSError as error:
        raise UserInputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise _malformed(path, "it is not JSON") from error
    if not isinstance(content, dict):
        raise _malformed(path, "it is not an object")
    unknown = sorted(content.keys() - {"labels", "pinned", "withheld"})
    if unknown:
        raise _malformed(path, f"{unknown[0]!r} is not known")
    return VersionFile(
        labels=_labels(path, content.get("labels")),
        pinned=None if content.get("pinned") is None else _version(path, content["pinned"]),
        withheld=_withheld(path, content.get("withheld")),
    )


def write_version_file(model_directory: Path, content: VersionFile) -> None:
    """Replaces `versions.json` by one rename.

    Args:
        model_directory: The model's folder, locked by `pushing`.
        content: What to write; default values are left out.
    """
    values = {
        "labels": dict(sorted(content.labels.items())),
        "pinned": content.pinned,
        "withheld": sorted(content.withheld),
    }
    text = json.dumps({key: value for key, value in values.items() if value not in ({}, None, [])})
    durable_files.write_text(model_directory / VERSION_FILE, text + "\n")


def _labels(path: Path, value: Any) -> dict[str, int]:
    if not isinstance(value, dict | None):
        raise _malformed(path, "'labels' is not an object of label to version")
    for label in value or {}:
        if not is_name("label", label):
            raise _malformed(path, f"{label!r} is not a label")
    return {label: _version(path, version) for label, version in (value or {}).items()}


def _withheld(path: Path, value: Any) -> frozenset[int]:
    if not isinstance(value, list | None):
        raise _malformed(path, "'withheld' is not a list of versions")
    return frozenset(_version(path, version) for version in value or [])


def _version(path: Path, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise _malformed(path, f"{value!r} is not a version")
    return value


def _malformed(path: Path, mistake: str) -> UserInputError:
    return UserInputError(f"{path}: {mistake}; expected something like {_EXAMPLE}")
