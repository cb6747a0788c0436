"""What lies in a push directory."""

import dataclasses
import difflib
from pathlib import Path
from typing import Any, Literal

from pipeline_config import PIPELINES, UserInputError
from serving.push_directory.manifest import read_manifest
from serving.push_directory.version_file import VersionFile, read_version_file
from serving.push_directory.versions import list_versions


@dataclasses.dataclass(frozen=True)
class PushedVersion:
    """One version of a model. What `aepipe.json` does not tell is None.

    Attributes:
        model: Name of the model at the server.
        version: The version.
        state: `served` by default; `withheld` after a rollback; `kept` for all others.
        labels: Names that a client may ask for this version by.
        pinned: Whether it stays the default one whatever is pushed.
        pushed_at: UTC time, ISO 8601.
        run_id: The run that pushed it.
        metric: What the model gate compares versions by.
        value: That metric on the eval split.
        threshold: Reconstruction error above which an example is an anomaly.
        bytes: Size on disk.
    """

    model: str
    version: int
    state: Literal["served", "kept", "withheld"]
    labels: list[str]
    pinned: bool
    pushed_at: str | None
    run_id: str | None
    metric: str | None
    value: float | None
    threshold: float | None
    bytes: int


def model_folders(models_dir: Path) -> list[Path]:
    """Returns the folders of the models that have a version, by name."""
    if not models_dir.is_dir():
        return []
    return sorted(folder for folder in models_dir.iterdir() if list_versions(folder))


def find_model(models_dir: Path, model: str) -> Path:
    """Returns the folder of a model.

    Args:
        models_dir: The push directory.
        model: The model's name, or the name of the pipeline that pushes it.

    Raises:
        UserInputError: There is no such model; the message names what there is.
    """
    name = PIPELINES[model].pusher.model_name if model in PIPELINES else model
    known = [folder.name for folder in model_folders(models_dir)]
    if name in known:
        return models_dir / name
    if not known:
        raise UserInputError(
            f"{models_dir}: no model was pushed there: run a pipeline first, or name its --home"
        )
    nearest = difflib.get_close_matches(model, [*known, *PIPELINES], n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"there is {', '.join(known)}"
    raise UserInputError(f"{models_dir}: no model {model}; {hint}")


def pushed_versions(folder: Path) -> list[PushedVersion]:
    """Returns the versions of one model, newest first.

    Raises:
        UserInputError: The model's `versions.json` is malformed.
    """
    versions = list_versions(folder)
    content = read_version_file(folder)
    return [_pushed_version(folder, version, content, versions) for version in reversed(versions)]


def pipeline_of(folder: Path, version: int) -> str | None:
    """Returns the pipeline that pushed a version, or None where nothing tells."""
    told = read_manifest(folder / str(version)).get("pipeline")
    if told is not None:
        return str(told)
    names = [name for name, config in PIPELINES.items() if config.pusher.model_name == folder.name]
    return names[0] if names else None


def _pushed_version(
    folder: Path, version: int, content: VersionFile, versions: list[int]
) -> PushedVersion:
    manifest = read_manifest(folder / str(version))
    metrics = manifest.get("metrics") or {}
    metric = _key_metric(pipeline_of(folder, version), metrics)
    state: Literal["served", "kept", "withheld"] = "kept"
    if version == content.served(versions):
        state = "served"
    elif version in content.withheld:
        state = "withheld"
    return PushedVersion(
        model=folder.name,
        version=version,
        state=state,
        labels=sorted(label for label, of in content.labels.items() if of == version),
        pinned=version == content.pinned,
        pushed_at=manifest.get("pushed_at"),
        run_id=manifest.get("run_id"),
        metric=metric,
        value=metrics.get(metric),
        threshold=manifest.get("threshold"),
        bytes=_size(folder / str(version)),
    )


def _key_metric(pipeline: str | None, metrics: dict[str, Any]) -> str | None:
    config = PIPELINES.get(pipeline or "")
    if config is not None and config.evaluator.baseline_metric in metrics:
        return config.evaluator.baseline_metric
    return next(iter(metrics), None)


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
