"""The pushed versions of a model: a row for each, and whether one is served."""

import contextlib
import dataclasses
import os
from pathlib import Path
from typing import Any, Literal

from pipeline_config import PIPELINES
from serving.push_directory.manifest import FILES_KEY, read_manifest
from serving.push_directory.model_versions import ModelVersions, read_versions
from serving.push_directory.threshold_change import ThresholdChange, change_of

State = Literal["served", "kept", "withheld", "damaged"]


@dataclasses.dataclass(frozen=True)
class PushedVersion:
    """One version of a model; None for what its `aepipe.json` does not hold.

    Attributes:
        model: Name of the model at the server.
        version: The version.
        state: `served` by default; `withheld` after a rollback; `damaged` if it cannot be served;
            `kept` for all others.
        labels: Labels by which a client may ask for this version.
        pinned: Whether it stays the default one whatever is pushed later.
        pushed_at: UTC time, ISO 8601.
        run_id: The run that pushed it.
        metric: What the model gate compares versions by.
        value: That metric on the eval split.
        threshold: Reconstruction error above which an example is an anomaly.
        bytes: Size on disk.
        fault: Why it cannot be served: it is incomplete, or differs from what was pushed; None if
            it can.
        verified: Whether each file has the digest that was pushed; False if there are no digests.
    """

    model: str
    version: int
    state: State
    labels: list[str]
    pinned: bool
    pushed_at: str | None
    run_id: str | None
    metric: str | None
    value: float | None
    threshold: float | None
    bytes: int
    fault: str | None
    verified: bool


def pushed_versions(folder: Path) -> list[PushedVersion]:
    """Returns the versions of one model, newest first.

    Raises:
        UserInputError: The model's `versions.json` is malformed.
    """
    model = read_versions(folder)
    return [_pushed_version(model, version) for version in reversed(model.numbers)]


def pipeline_of(folder: Path, version: int) -> str | None:
    """Returns the pipeline that pushed a version, or None if it cannot be found out."""
    recorded = read_manifest(folder / str(version)).get("pipeline")
    if recorded is not None:
        return str(recorded)
    names = [name for name, config in PIPELINES.items() if config.pusher.model_name == folder.name]
    return names[0] if names else None


def why_not_served(destination: Path) -> list[str]:
    """Explains why a pushed version is not the one that is served by default, and what to do.

    Args:
        destination: Folder that a run pushed to, now or in an earlier run with the same result.

    Returns:
        One sentence; none if the version is served.

    Raises:
        UserInputError: The model's `versions.json` is malformed.
    """
    model, version = destination.parent.name, int(destination.name)
    versions = read_versions(destination.parent)
    if version not in versions.numbers:
        state = "is not there any more"
        remedy = "push it again with --from VersionedPusher"
    elif version in versions.damaged:
        state = f"cannot be served: {versions.damaged[version]}"
        remedy = "push it again with --from VersionedPusher"
    else:
        served = versions.served
        if version == served:
            return []
        change = _change_of_same_weights(destination.parent, version, served)
        if change is not None:
            state = (
                f"is served as {served} with the threshold {change.new_threshold:.6g} that "
                f"{change.user} set, instead of {change.old_threshold:.6g}"
            )
            remedy = f"go back with aepipe models rollback {model} --to {version}"
        elif versions.file.pinned == served:
            state = f"is not what is served: {served} is pinned"
            remedy = f"pin it with aepipe models pin {model} {version}"
        elif version in versions.file.withheld:
            state = f"was rolled back: {served} is served"
            remedy = f"restore it with aepipe models rollback {model} --to {version}"
        else:
            state = f"is older than what is served, {served}"
            remedy = "push it again with --from VersionedPusher"
    return [f"this result was pushed as {version}, which {state}; {remedy}"]


def _change_of_same_weights(folder: Path, version: int, served: int) -> ThresholdChange | None:
    """Returns how the served version came to its threshold, if it is another's copy but for it."""
    manifests = [read_manifest(folder / str(number)) for number in (version, served)]
    weights = {manifest.get("judged_model") for manifest in manifests}
    return change_of(manifests[1]) if len(weights) == 1 else None


def _pushed_version(model: ModelVersions, version: int) -> PushedVersion:
    folder = model.folder / str(version)
    manifest = read_manifest(folder)
    metrics = manifest.get("metrics") or {}
    metric = _key_metric(pipeline_of(model.folder, version), metrics)
    state: State = "kept"
    if version in model.damaged:
        state = "damaged"
    elif version == model.served:
        state = "served"
    elif version in model.file.withheld:
        state = "withheld"
    return PushedVersion(
        model=model.folder.name,
        version=version,
        state=state,
        labels=sorted(label for label, of in model.file.labels.items() if of == version),
        pinned=version == model.file.pinned,
        pushed_at=manifest.get("pushed_at"),
        run_id=manifest.get("run_id"),
        metric=metric,
        value=metrics.get(metric),
        threshold=manifest.get("threshold"),
        bytes=_size(folder),
        fault=model.damaged.get(version),
        verified=version not in model.damaged and FILES_KEY in manifest,
    )


def _key_metric(pipeline: str | None, metrics: dict[str, Any]) -> str | None:
    config = PIPELINES.get(pipeline or "")
    if config is not None:
        # Without labels, versions are compared by the loss.
        for name in (config.evaluator.baseline_metric, "val_loss"):
            if name in metrics:
                return name
    return next(iter(metrics), None)


def _size(directory: Path) -> int:
    size = 0
    for parent, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(OSError):
                size += Path(parent, name).stat().st_size
    return size
