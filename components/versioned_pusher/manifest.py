"""`aepipe.json`: where a pushed version comes from."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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


def _tensors(specs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
        for name, spec in specs.items()
    }
