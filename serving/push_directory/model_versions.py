"""The versions of one model: which can be served, which is, and which are pruned."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline_config import UserInputError
from serving.push_directory.layout import list_versions
from serving.push_directory.manifest import damage_of, read_manifest
from serving.push_directory.publish import remove
from serving.push_directory.versions_json import VersionFile, read_version_file


@dataclasses.dataclass(frozen=True)
class ModelVersions:
    """The versions of one model.

    Attributes:
        folder: The model's folder.
        numbers: All versions, oldest first.
        damaged: Version -> why it cannot be served: it is incomplete, or differs from what was
            pushed.
        file: Content of `versions.json`.
    """

    folder: Path
    numbers: Sequence[int]
    damaged: Mapping[int, str]
    file: VersionFile

    @property
    def sound(self) -> list[int]:
        """The versions that can be served, oldest first."""
        return [number for number in self.numbers if number not in self.damaged]

    @property
    def served(self) -> int:
        """The version that is served by default.

        Raises:
            UserInputError: No version can be served; the message says why for the newest.
        """
        if not self.numbers:
            raise UserInputError(f"{self.folder}: there is no version of this model yet")
        if not self.sound:
            newest = self.numbers[-1]
            raise UserInputError(
                f"{self.folder}: no version can be served; of {newest}, {self.damaged[newest]}"
            )
        return self.file.served(self.sound)

    def with_file(self, **changes: Any) -> "ModelVersions":
        """Returns the same versions with other content of `versions.json`."""
        return dataclasses.replace(self, file=dataclasses.replace(self.file, **changes))

    @property
    def passed_over(self) -> list[int]:
        """The versions that would be served instead of `served` if they were not damaged."""
        preferred = self.file.by_preference(self.numbers)
        return preferred[: preferred.index(self.served)]

    def find(self, version: str | None) -> Path:
        """Returns the folder of a version.

        Args:
            version: Its number or label; None for the version that is served by default.

        Raises:
            UserInputError: There is no such version, and the message names what there is; or it
                cannot be served.
        """
        if version is None:
            return self.folder / str(self.served)
        labels = self.file.labels
        number = str(labels.get(version, version))
        if number not in map(str, self.numbers):
            there = ", ".join([*map(str, self.numbers), *sorted(labels)])
            raise UserInputError(f"{self.folder}: no version {version}; there is {there}")
        self.require(int(number))
        return self.folder / number

    def require(self, version: int) -> None:
        """Checks that a version can be served.

        Raises:
            UserInputError: It does not exist, or is damaged.
        """
        if version not in self.numbers:
            there = ", ".join(map(str, self.numbers)) or "none"
            raise UserInputError(f"{self.folder.name}: no version {version}; there is {there}")
        if version in self.damaged:
            raise UserInputError(
                f"{self.folder.name}: version {version} cannot be served: {self.damaged[version]}"
            )


def read_versions(folder: Path) -> ModelVersions:
    """Returns the versions in a model's folder, after checking the files of each.

    Raises:
        UserInputError: The folder cannot be read, or `versions.json` is malformed.
    """
    try:
        numbers = list_versions(folder)
    except OSError as error:
        raise UserInputError(f"{folder}: cannot be read: {error.strerror or error}") from error
    damaged = {number: damage_of(folder / str(number)) for number in numbers}
    return ModelVersions(
        folder=folder,
        numbers=numbers,
        damaged={number: damage for number, damage in damaged.items() if damage is not None},
        file=read_version_file(folder),
    )


def served_version(folder: Path) -> int:
    """Returns the version that is served by default.

    Raises:
        UserInputError: There is none, or `versions.json` is malformed.
    """
    return read_versions(folder).served


def prune(folder: Path, keep: int) -> list[int]:
    """Removes all but the newest versions, and those that are labelled, pinned or served.

    Args:
        folder: The model's folder, locked by `pushing`.
        keep: How many stay; 0 keeps all. Labelled, pinned and damaged versions do not count;
            damaged ones are removed when they are older than all that were counted.

    Returns:
        The removed versions.

    Raises:
        UserInputError: `versions.json` is malformed; nothing was removed.
    """
    model = read_versions(folder)
    named = {*model.file.labels.values(), model.file.pinned}
    countable = [version for version in model.sound if version not in named]
    if keep == 0 or len(countable) < keep:
        return []
    oldest = countable[-keep]
    stays = {*named, model.served}
    removed = [version for version in model.numbers if version < oldest and version not in stays]
    for version in removed:
        remove(folder, version)
    return removed


def pushed_by(model_directory: Path, run_id: str | None) -> Path | None:
    """Returns the version that a run has pushed; None if it pushed none, or `run_id` is None."""
    if run_id is None:
        return None
    versions = (model_directory / str(version) for version in list_versions(model_directory))
    return next(
        (v for v in versions if read_manifest(v).get("run_id") == run_id and damage_of(v) is None),
        None,
    )


def pushed_already(model_directory: Path, version_directory: Path) -> Path | None:
    """Returns the newest version if it has the same content as a folder to be pushed, else None.

    That happens after a push whose record in MLMD was lost. The manifests are equal in all but
    version, time and run. A withheld version is not returned: pushing it again restores it.

    Args:
        model_directory: The model's folder, locked by `pushing`.
        version_directory: A folder with all its files and its manifest.
    """
    versions = list_versions(model_directory)
    if not versions or versions[-1] in read_version_file(model_directory).withheld:
        return None
    newest = model_directory / str(versions[-1])
    if _content(read_manifest(newest)) != _content(read_manifest(version_directory)):
        return None
    return newest if damage_of(newest) is None else None


def _content(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {key: manifest[key] for key in manifest.keys() - {"run_id", "version", "pushed_at"}}
