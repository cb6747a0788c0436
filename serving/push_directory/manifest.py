"""`aepipe.json`, the manifest of a version: run, data, metrics, signatures and file digests."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serving.push_directory.integrity import (
    FILES_KEY,
    MANIFEST_FILE,
    damage_of,
    file_digests,
    load_manifest,
)
from serving.push_directory.layout import list_versions
from serving.push_directory.versions_json import read_version_file


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
        return load_manifest(version_directory) or {}
    except (OSError, ValueError):
        return {}


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
