"""`aepipe.json`: where a pushed version comes from."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.versioned_pusher.versions import list_versions

MANIFEST_FILE = "aepipe.json"


def write_manifest(
    model_directory: Path,
    *,
    model: Any,
    model_name: str,
    version: int,
    run_id: str | None,
    run: Mapping[str, Any],
    evaluation: Mapping[str, Any] | None,
) -> None:
    """Writes the manifest of a version.

    Args:
        model_directory: The version's folder.
        model: The loaded SavedModel, for its signatures.
        model_name: Name of the model at the server.
        version: The version.
        run_id: Which run pushed it.
        run: Facts of the pipeline that do not change from run to run, such as its name.
        evaluation: Content of `evaluation.json`.
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
        "signatures": {
            name: {
                "inputs": _tensors(signature.structured_input_signature[1]),
                "outputs": _tensors(signature.structured_outputs),
            }
            for name, signature in model.signatures.items()
        },
    }
    text = json.dumps(content, indent=2, sort_keys=True)
    Path(model_directory, MANIFEST_FILE).write_text(text)


def pushed_by(model_directory: Path, run_id: str | None) -> Path | None:
    """Returns the version that a run has pushed; None where it has pushed none or has no name."""
    if run_id is None:
        return None
    versions = (model_directory / str(version) for version in list_versions(model_directory))
    return next((version for version in versions if _run_of(version) == run_id), None)


def _run_of(version: Path) -> str | None:
    try:
        run_id: str | None = json.loads((version / MANIFEST_FILE).read_text())["run_id"]
    except (OSError, ValueError, KeyError, TypeError):
        # Copied there by hand.
        return None
    return run_id


def _tensors(specs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
        for name, spec in specs.items()
    }
