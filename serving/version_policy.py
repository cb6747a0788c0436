"""Which versions of a model are to be served: the folder's numbers and the file beside them."""

import dataclasses
import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

POLICY_FILE = "versions.json"

_NUMBER = re.compile(r"[0-9]{1,19}")
_LARGEST = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class VersionPolicy:
    """Content of `versions.json`; every key may be absent, and so may the file.

    Attributes:
        labels: Name -> version that is served under it, beside the default one.
        pinned: Version that is the default whatever is pushed.
        withheld: Versions that were rolled back: never the default while there is another.
    """

    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)
    pinned: int | None = None
    withheld: frozenset[int] = frozenset()

    def by_preference(self, versions: Collection[int]) -> list[int]:
        """Returns the versions in the order in which they are to be the default one.

        The first that loads is it: the pinned one, then the others from new to old, then those
        withheld, as serving an old model is better than serving none.
        """
        newest_first = sorted(versions, reverse=True)
        return sorted(newest_first, key=lambda v: (v != self.pinned, v in self.withheld))


def find_versions(model_directory: Path) -> dict[int, Path]:
    """Returns the folders that are versions, as TensorFlow Serving finds them, by number.

    A version is a folder whose name is a decimal int64; anything else is passed over.

    Raises:
        OSError: The folder cannot be read.
    """
    found: dict[int, Path] = {}
    for entry in sorted(model_directory.iterdir()):
        if _NUMBER.fullmatch(entry.name) and int(entry.name) <= _LARGEST and entry.is_dir():
            found.setdefault(int(entry.name), entry)
    return found


def read_policy(model_directory: Path) -> VersionPolicy:
    """Reads `versions.json`.

    Raises:
        ValueError: It is there and is not such a file; the message names it.
        OSError: It cannot be read.
    """
    path = model_directory / POLICY_FILE
    try:
        text = path.read_text()
    except FileNotFoundError:
        return VersionPolicy()
    try:
        content = json.loads(text)
        labels = content.get("labels") or {}
        return VersionPolicy(
            labels={str(label): _version(version) for label, version in labels.items()},
            pinned=None if content.get("pinned") is None else _version(content["pinned"]),
            withheld=frozenset(_version(version) for version in content.get("withheld") or []),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{path}: expected something like {{"labels": {{"stable": 12}}, "pinned": 12, '
            f'"withheld": [13]}}: {error}'
        ) from error


def content_stamp(version_directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Returns name, size and time of each file, so that a change of a folder can be seen."""
    stamp = []
    for path in sorted(version_directory.rglob("*")):
        try:
            facts = path.stat()
        except OSError:
            continue
        stamp.append((str(path.relative_to(version_directory)), facts.st_size, facts.st_mtime_ns))
    return tuple(stamp)


def _version(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise ValueError(f"{value!r} is not a version")
    return value
