"""`aepipe.json`: where a pushed version comes from."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serving.push_directory.versions import list_versions

MANIFEST_FILE = "aepipe.json"


def write_manifest(
    version_directory: Path,
    *,
    model_name: str,
    version: int,
    run_id: str | None,
    run: Mapping[str, Any],
    evaluation: Mapping[str, Any] | None,
    signatures: Mapping[str, Any],
) -> None:
    """Writes the manifest of a version.

    Args:
        version_directory: The version's folder.
        model_name: Name of the model at the server.
        version: The version.
        run_id: Which run pushed it.
        run: Facts of the pipeline that do not change from run to run, such as its name.
        evaluation: Content of `evaluation.json`.
        signatures: JSON values: signature -> `inputs` and `outputs` -> name -> dtype and shape.
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
    }
    text = json.dumps(content, indent=2, sort_keys=True)
    Path(version_directory, MANIFEST_FILE).write_text(text)


def read_manifest(version_directory: Path) -> dict[str, Any]:
    """Returns the manifest of a version; empty for a version that somebody else put there."""
    try:
        content = json.loads((version_directory / MANIFEST_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def pushed_by(model_directory: Path, run_id: str | None) -> Path | None:
    """Returns the version that a run has pushed; None if it has pushed none or has no name."""
    if run_id is None:
        return None
    versions = (model_directory / str(version) for version in list_versions(model_directory))
    return next((v for v in versions if read_manifest(v).get("run_id") == run_id), None)
