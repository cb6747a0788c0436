"""Rollback, labels, pins and pruning: each change is one new `versions.json`, by one rename."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline_config import UserInputError, check_name
from serving.push_directory.model_versions import ModelVersions, prune, read_versions
from serving.push_directory.models_config import unlisted_labels, write_models_config
from serving.push_directory.publish import pushing
from serving.push_directory.versions_json import VersionFile, write_version_file

OnWait = Callable[[str], None]
"""Called with a sentence if another process holds the model's folder, before the wait for it."""

_Decide = Callable[[ModelVersions], VersionFile]
"""Current versions -> new content of `versions.json`; raises `UserInputError` to refuse."""


@dataclasses.dataclass(frozen=True)
class Change:
    """The result of a change.

    Attributes:
        action: `rollback`, `label`, `pin`, `unpin` or `prune`.
        model: Name of the model at the server.
        from_version: Version before the change: the default one, the pinned one or that of the
            label; None if there was none.
        to_version: The same after the change.
        label: The label if the action is `label`, else None.
        served: The version that is served by default now.
        withheld: The versions that were rolled back.
        pinned: The pinned version, or None.
        labels: All labels of the model.
        removed: Versions that were removed from the disk.
        changed: Whether the change made any difference.
        notices: A sentence for each damaged version that was skipped, and for each limitation of
            TensorFlow Serving that applies.
    """

    action: str
    model: str
    from_version: int | None
    to_version: int | None
    label: str | None
    served: int
    withheld: list[int]
    pinned: int | None
    labels: dict[str, int]
    removed: list[int] = dataclasses.field(default_factory=list)
    changed: bool = True
    notices: list[str] = dataclasses.field(default_factory=list)


def rollback(folder: Path, to: int | None, on_wait: OnWait | None = None) -> Change:
    """Serves an older version by default, and withholds all that are newer than it.

    Args:
        folder: The model's folder.
        to: The version; None for the newest before the served one that is not withheld itself.
            A withheld version that is newer than the served one is restored.
        on_wait: See `OnWait`.

    Raises:
        UserInputError: There is no such version, or none to go back to.
    """

    def decide(model: ModelVersions) -> VersionFile:
        target = _version_before(model) if to is None else to
        model.require(target)
        newer = {version for version in model.numbers if version > target}
        older = {version for version in model.numbers if version < target} & model.file.withheld
        return dataclasses.replace(
            model.file,
            withheld=frozenset(newer if target > model.served else newer | older),
            pinned=None if model.file.pinned is None else target,
        )

    return _change(
        folder, "rollback", decide, on_wait, about=lambda file, model: file.served(model.sound)
    )


def label(folder: Path, name: str, version: int | None, on_wait: OnWait | None = None) -> Change:
    """Labels a version, so that it is served beside the default one and is never pruned.

    Args:
        folder: The model's folder.
        name: The label; it moves if it names another version.
        version: None for the one that is served by default.
        on_wait: See `OnWait`.

    Raises:
        UserInputError: The name is not allowed for a label, or there is no such version.
    """
    check_name("label", name)

    def decide(model: ModelVersions) -> VersionFile:
        target = model.served if version is None else version
        model.require(target)
        return dataclasses.replace(model.file, labels={**model.file.labels, name: target})

    return _change_label(folder, name, decide, on_wait)


def remove_label(folder: Path, name: str, on_wait: OnWait | None = None) -> Change:
    """Removes a label.

    Raises:
        UserInputError: There is no such label.
    """

    def decide(model: ModelVersions) -> VersionFile:
        content = model.file
        if name not in content.labels:
            there = ", ".join(sorted(content.labels)) or "none"
            raise UserInputError(f"{folder.name}: no label {name}; there is {there}")
        rest = {label: version for label, version in content.labels.items() if label != name}
        return dataclasses.replace(content, labels=rest)

    return _change_label(folder, name, decide, on_wait)


def pin(folder: Path, version: int | None, on_wait: OnWait | None = None) -> Change:
    """Serves one version by default, whatever is pushed later.

    Args:
        folder: The model's folder.
        version: None for the one that is served now.
        on_wait: See `OnWait`.

    Raises:
        UserInputError: There is no such version.
    """

    def decide(model: ModelVersions) -> VersionFile:
        target = model.served if version is None else version
        model.require(target)
        return dataclasses.replace(model.file, pinned=target)

    return _change(folder, "pin", decide, on_wait, about=lambda file, _: file.pinned)


def unpin(folder: Path, on_wait: OnWait | None = None) -> Change:
    """Serves the newest version again that is not withheld.

    Raises:
        UserInputError: No version is pinned.
    """

    def decide(model: ModelVersions) -> VersionFile:
        content = model.file
        if content.pinned is None:
            raise UserInputError(f"{folder.name}: no version is pinned")
        return dataclasses.replace(content, pinned=None)

    return _change(folder, "unpin", decide, on_wait, about=lambda file, _: file.pinned)


def prune_versions(folder: Path, keep: int, on_wait: OnWait | None = None) -> Change:
    """Removes old versions, but never one that is labelled, pinned or served.

    Args:
        folder: The model's folder.
        keep: How many stay beside the labelled and pinned ones; 0 keeps all.
        on_wait: See `OnWait`.
    """
    with pushing(folder, on_wait):
        removed = prune(folder, keep)
        model = read_versions(folder)
        content = model.file
        there = content.withheld & set(model.numbers)
        if there != content.withheld:
            content = dataclasses.replace(content, withheld=there)
            write_version_file(folder, content)
        write_models_config(folder.parent)
        return Change(
            action="prune",
            model=folder.name,
            from_version=None,
            to_version=None,
            label=None,
            removed=removed,
            changed=bool(removed),
            **_settings(content, model),
        )


def _change(
    folder: Path,
    action: str,
    decide: _Decide,
    on_wait: OnWait | None,
    *,
    about: Callable[[VersionFile, ModelVersions], int | None],
    label: str | None = None,
) -> Change:
    """Rewrites `versions.json` under the lock; `about` returns the version of the action."""
    with pushing(folder, on_wait):
        model = read_versions(folder)
        if not model.numbers:
            raise UserInputError(f"{folder}: there is no version of this model any more")
        before, served_before = model.file, model.served
        after = decide(model)
        served = after.served(model.sound)
        if after != before:
            write_version_file(folder, after)
        write_models_config(folder.parent)
    return Change(
        action=action,
        model=folder.name,
        from_version=about(before, model),
        to_version=about(after, model),
        label=label,
        changed=after != before,
        notices=_passed_over(model, served_before, served) + _tf_serving_notices(model, after),
        **_settings(after, model),
    )


def _change_label(folder: Path, name: str, decide: _Decide, on_wait: OnWait | None) -> Change:
    return _change(
        folder, "label", decide, on_wait, about=lambda file, _: file.labels.get(name), label=name
    )


def _settings(content: VersionFile, model: ModelVersions) -> dict[str, Any]:
    return {
        "served": content.served(model.sound) if model.sound else model.served,
        "withheld": sorted(content.withheld),
        "pinned": content.pinned,
        "labels": dict(content.labels),
    }


def _passed_over(model: ModelVersions, before: int, served: int) -> list[str]:
    """Returns a sentence for each damaged version between the old and the new served one."""
    return [
        f"{model.folder.name}: {version} was passed over: {damage}"
        for version, damage in model.damaged.items()
        if served < version < before
    ]


def _tf_serving_notices(model: ModelVersions, after: VersionFile) -> list[str]:
    served = after.served(model.sound)
    notices = [
        f"TensorFlow Serving would answer every request with {version}, the larger number: "
        f"label {name} is left out of models.config while {served} is served"
        for name, version in unlisted_labels(model, after).items()
    ]
    before = model.file
    loaded = {*before.labels.values(), before.served(model.sound)}
    return notices + [
        f"TensorFlow Serving moves a label only to a version it has loaded: with it, remove label "
        f"{name} first, and set it once models.config was read again"
        for name, version in after.labels.items()
        if before.labels.get(name, version) != version
        and version not in loaded
        and version < served
    ]


def _version_before(model: ModelVersions) -> int:
    served = model.served
    older = [v for v in model.sound if v < served and v not in model.file.withheld]
    if not older:
        there = ", ".join(_described(model, version) for version in model.numbers)
        raise UserInputError(
            f"{model.folder.name}: no version before {served} to go back to; there is {there}"
        )
    return older[-1]


def _described(model: ModelVersions, version: int) -> str:
    return f"{version} ({model.damaged[version]})" if version in model.damaged else str(version)
