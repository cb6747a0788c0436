"""`versions.json`: which of a model's versions is served, where that is not just the newest.

A model server reads the same file. It is small and changes by one rename, so a server sees what
was before or what is after, and a rollback is no more than one new file.
"""

import dataclasses
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pipeline_config import UserInputError, is_name
from serving.push_directory.versions import flush

VERSION_FILE = "versions.json"

_EXAMPLE = '{"labels": {"stable": 12}, "pinned": 12, "withheld": [13]}'


@dataclasses.dataclass(frozen=True)
class VersionFile:
    """Content of `versions.json`; without such a file, the defaults.

    Attributes:
        labels: Name that a client may ask for -> version. These are served beside the default
            version and are never pruned.
        pinned: Version that is served by default whatever is pushed; never pruned.
        withheld: Versions that were rolled back: not served by default, but one pushed later is.
    """

    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)
    pinned: int | None = None
    withheld: frozenset[int] = frozenset()

    def served(self, versions: Collection[int]) -> int:
        """Returns which of the versions is served by default.

        The pinned one where it is among them, else the newest that is not withheld. Where all are
        withheld it is the newest, as serving a doubtful model is better than serving none.

        Args:
            versions: What is on disk; at least one.
        """
        return self.by_preference(versions)[0]

    def by_preference(self, versions: Collection[int]) -> list[int]:
        """Returns the versions in the order in which they are to be the default one.

        The first that can be served is it: the pinned one, then the others from new to old, then
        those withheld.
        """
        newest_first = sorted(versions, reverse=True)
        return sorted(newest_first, key=lambda v: (v != self.pinned, v in self.withheld))


def read_version_file(model_directory: Path) -> VersionFile:
    """Reads `versions.json`; where there is none, all is at its default.

    Raises:
        UserInputError: The file is malformed or cannot be read; the message names it and the first
            fault.
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
        model_directory: The model's folder, held by `pushing`.
        content: What to write; what is at its default is left out.
    """
    values = {
        "labels": dict(sorted(content.labels.items())),
        "pinned": content.pinned,
        "withheld": sorted(content.withheld),
    }
    text = json.dumps({key: value for key, value in values.items() if value not in ({}, None, [])})
    replace_text(model_directory / VERSION_FILE, text + "\n")


def replace_text(path: Path, text: str) -> None:
    """Gives a small file new content by one rename, also in the face of a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    flush(temporary)
    temporary.replace(path)
    flush(path.parent)


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


def _malformed(path: Path, fault: str) -> UserInputError:
    return UserInputError(f"{path}: {fault}; expected something like {_EXAMPLE}")
