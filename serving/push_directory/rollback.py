"""Rollback, labels, pins and pruning: each change is one new `versions.json`, by one rename."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline_config import UserInputError, check_name
from serving.push_directory.model_versions import ModelVersions, prune, read_versions
from serving.push_directory.models_config import label_notices, write_models_config
from serving.push_directory.publish import pushing
from serving.push_directory.threshold_change import ThresholdChange
from serving.push_directory.versions_json import write_version_file

OnWait = Callable[[str], None]
"""Called with a sentence if another process holds the model's folder, before the wait for it."""

_Decide = Callable[[ModelVersions], ModelVersions]
"""Returns the versions with new content of `versions.json`; raises `UserInputError` to refuse."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """The result of a change.

    Attributes:
        action: `rollback`, `label`, `pin`, `unpin`, `prune` or `threshold`.
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
        threshold: What the new version was made with if the action is `threshold`, else None.
    """

    action: str
    model: str
    from_version: int | None
    to_version: int | None
    label: str | None = None
    served: int
    withheld: list[int]
    pinned: int | None
    labels: dict[str, int]
    removed: list[int] = dataclasses.field(default_factory=list)
    changed: bool = True
    notices: list[str] = dataclasses.field(default_factory=list)
    threshold: ThresholdChange | None = None


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

    def decide(model: ModelVersions) -> ModelVersions:
        target = _version_before(model) if to is None else to
        model.require(target)
        newer = {version for version in model.numbers if version > target}
        older = {version for version in model.numbers if version < target} & model.file.withheld
        return model.with_file(
            withheld=frozenset(newer if target > model.served else newer | older),
            pinned=None if model.file.pinned is None else target,
        )

    return _change(folder, "rollback", decide, on_wait)


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

    def decide(model: ModelVersions) -> ModelVersions:
        target = model.served if version is None else version
        model.require(target)
        return model.with_file(labels={**model.file.labels, name: target})

    return _change(folder, "label", decide, on_wait, name)


def remove_label(folder: Path, name: str, on_wait: OnWait | None = None) -> Change:
    """Removes a label.

    Raises:
        UserInputError: There is no such label.
    """

    def decide(model: ModelVersions) -> ModelVersions:
        labels = dict(model.file.labels)
        if name not in labels:
            there = ", ".join(sorted(labels)) or "none"
            raise UserInputError(f"{folder.name}: no label {name}; there is {there}")
        del labels[name]
        return model.with_file(labels=labels)

    return _change(folder, "label", decide, on_wait, name)


def pin(folder: Path, version: int | None, on_wait: OnWait | None = None) -> Change:
    """Serves one version by default, whatever is pushed later.

    Args:
        folder: The model's folder.
        version: None for the one that is served now.
        on_wait: See `OnWait`.

    Raises:
        UserInputError: There is no such version.
    """

    def decide(model: ModelVersions) -> ModelVersions:
        target = model.served if version is None else version
        model.require(target)
        return model.with_file(pinned=target)

    return _change(folder, "pin", decide, on_wait)


def unpin(folder: Path, on_wait: OnWait | None = None) -> Change:
    """Serves the newest version again that is not withheld.

    Raises:
        UserInputError: No version is pinned.
    """

    def decide(model: ModelVersions) -> ModelVersions:
        if model.file.pinned is None:
            raise UserInputError(f"{folder.name}: no version is pinned")
        return model.with_file(pinned=None)

    return _change(folder, "unpin", decide, on_wait)


def prune_versions(folder: Path, keep: int, on_wait: OnWait | None = None) -> Change:
    """Removes old versions as `prune` does, and forgets those that `versions.json` withholds.

    Args:
        folder: The model's folder.
        keep: How many stay beside the labelled and pinned ones; 0 keeps all.
        on_wait: See `OnWait`.
    """
    with pushing(folder, on_wait):
        removed = prune(folder, keep)
        model = read_versions(folder)
        there = model.file.withheld & set(model.numbers)
        if there != model.file.withheld:
            model = model.with_file(withheld=there)
            write_version_file(folder, model.file)
        write_models_config(folder.parent)
    return Change(
        action="prune",
        from_version=None,
        to_version=None,
        removed=removed,
        changed=bool(removed),
        **served_now(model),
    )


def _change(
    folder: Path,
    action: str,
    decide: _Decide,
    on_wait: OnWait | None,
    label: str | None = None,
) -> Change:
    """Rewrites `versions.json` and `models.config` under the lock of the model's folder."""
    with pushing(folder, on_wait):
        before = read_versions(folder)
        if not before.numbers:
            raise UserInputError(f"{folder}: there is no version of this model any more")
        served_before = before.served
        after = decide(before)
        if after.file != before.file:
            write_version_file(folder, after.file)
        write_models_config(folder.parent)
    passed_over = [
        f"{folder.name}: {version} was passed over: {damage}"
        for version, damage in before.damaged.items()
        if after.served < version < served_before
    ]
    return Change(
        action=action,
        from_version=_version_of(action, before, label),
        to_version=_version_of(action, after, label),
        label=label,
        changed=after.file != before.file,
        notices=passed_over + label_notices(before, after),
        **served_now(after),
    )


def _version_of(action: str, model: ModelVersions, label: str | None) -> int | None:
    """Returns the version that an action is about."""
    if label is not None:
        return model.file.labels.get(label)
    return model.served if action == "rollback" else model.file.pinned


def served_now(model: ModelVersions) -> dict[str, Any]:
    """Returns the attributes of a `Change` that say what is served after it."""
    return {
        "model": model.folder.name,
        "served": model.served,
        "withheld": sorted(model.file.withheld),
        "pinned": model.file.pinned,
        "labels": dict(model.file.labels),
    }


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
