"""A version that has another one's weights and a threshold that a person asked for."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serving.push_directory.manifest import (
    FILES_KEY,
    MANIFEST_FILE,
    file_digests,
    read_manifest,
)

CHANGE_KEY = "threshold_change"
"""Key of the manifest: `ThresholdChange` as an object; only such a version has it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThresholdChange:
    """How a version came to its threshold after it was judged.

    Attributes:
        from_version: The version whose weights it has.
        from_run: The run that pushed these; None if it is not known.
        old_threshold: The threshold of that version.
        new_threshold: The one that was asked for.
        strategy: `manual` for a number, `conformal` for a false-alarm rate.
        false_alarm_rate: The rate that was asked for, or None.
        user: Who asked.
    """

    from_version: int
    from_run: str | None
    old_threshold: float
    new_threshold: float
    strategy: str
    false_alarm_rate: float | None
    user: str

    def recorded(self) -> dict[str, float | str]:
        """Returns what MLMD records beside the versions."""
        values = dataclasses.asdict(self)
        names = ("old_threshold", "new_threshold", "strategy", "false_alarm_rate")
        return {name: values[name] for name in names if values[name] is not None}


def write_changed_manifest(
    version_directory: Path, version: int, change: ThresholdChange, metrics: Mapping[str, Any]
) -> None:
    """Writes the manifest of a version with a changed threshold, beside its other files.

    It holds what that of `change.from_version` does, in the same model's folder, but for what has
    changed. No run is named as its pusher: none would push it again.

    Args:
        version_directory: The version's folder, in that of the model, with all its other files.
        version: The version.
        change: What was asked for.
        metrics: Those of the judged model that do not depend on the threshold.
    """
    former = read_manifest(version_directory.parent / str(change.from_version))
    origin = former.get("threshold_from") or {}
    content = {
        **former,
        "run_id": None,
        "version": version,
        "pushed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "metrics": dict(metrics),
        "threshold": change.new_threshold,
        "threshold_from": {
            "strategy": change.strategy,
            "false_alarm_rate": change.false_alarm_rate,
            "user": change.user,
            # Of the normal errors, which stay as they were.
            **{name: origin[name] for name in ("examples", "split") if name in origin},
        },
        CHANGE_KEY: dataclasses.asdict(change),
        FILES_KEY: file_digests(version_directory),
    }
    text = json.dumps(content, indent=2, sort_keys=True)
    Path(version_directory, MANIFEST_FILE).write_text(text)


def change_of(manifest: Mapping[str, Any]) -> ThresholdChange | None:
    """Returns how a version came to its threshold, None if that is the one it was judged with."""
    change = manifest.get(CHANGE_KEY)
    try:
        return None if change is None else ThresholdChange(**change)
    except TypeError:
        # Of a later release, or damaged.
        return None


def run_of(manifest: Mapping[str, Any]) -> str | None:
    """Returns the run whose weights a version has; None if it is not known."""
    change = change_of(manifest)
    run_id = manifest.get("run_id") if change is None else change.from_run
    return None if run_id is None else str(run_id)
