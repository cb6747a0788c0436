"""Version folders that look like a SavedModel, made without TensorFlow."""

import json
from pathlib import Path
from typing import Any

from serving.push_directory.manifest import write_manifest

SHARD = "variables/variables.data-00000-of-00001"


def write_whole_version(directory: Path, content: str = "weights") -> Path:
    """Writes the parts of a version, without a manifest."""
    (directory / "variables").mkdir(parents=True)
    (directory / "saved_model.pb").write_text("graph")
    (directory / "variables" / "variables.index").write_text("index")
    (directory / SHARD).write_text(content)
    return directory


def write_pushed_version(directory: Path, content: str = "weights", **manifest: Any) -> Path:
    """Writes a version as a push leaves it, with a manifest and its digests."""
    write_whole_version(directory, content)
    values: dict[str, Any] = {
        "model_name": directory.parent.name,
        "version": int(directory.name),
        "run_id": None,
        "run": {},
        "evaluation": None,
        "signatures": {},
        "judged_model": "models/1",
    }
    write_manifest(directory, **(values | manifest))
    assert "files" in json.loads((directory / "aepipe.json").read_text())
    return directory
