"""`models.config`: what TensorFlow Serving needs to serve a whole push directory.

TensorFlow Serving answers a request that names no version with the largest version it has loaded.
So no version above the default one may be listed, not even for a label: after a rollback it would
answer again. Such a label is left out until its version is the default one, or older.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import logging
from filelock import FileLock
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from components.versioned_pusher.version_file import VersionFile, read_version_file, replace_text
from components.versioned_pusher.versions import list_versions
from pipeline_config import UserInputError

CONFIG_FILE = "models.config"

MOUNT = "/models"
"""Where TensorFlow Serving's container finds the push directory."""

_LOCK_FILE = ".models.config.lock"
_HEADER = "# aepipe writes this file anew at each push and each `aepipe models` change.\n"


def write_models_config(push_root: Path) -> Path:
    """Writes `models.config` for all models below a push directory, by one rename.

    Pushes of several models may call it at the same time: each reads all models anew while it
    holds the lock, so the last one to write has seen every change.

    Args:
        push_root: The push directory.

    Returns:
        The file.
    """
    path = push_root / CONFIG_FILE
    with FileLock(push_root / _LOCK_FILE):
        before = _read(path)
        config = ModelServerConfig()
        # Present even where it is empty: TensorFlow Serving takes no action on an empty file.
        config.model_config_list.SetInParent()
        for folder in sorted(push_root.iterdir()):
            entry = None if folder.name.startswith(".") else _entry(folder, before)
            if entry is not None:
                config.model_config_list.config.append(entry)
        replace_text(path, _HEADER + text_format.MessageToString(config))
    return path


def unlisted_labels(content: VersionFile, versions: Sequence[int]) -> dict[str, int]:
    """Returns the labels of versions that TensorFlow Serving must not load; see above."""
    served = content.served(versions)
    return {
        label: version
        for label, version in content.labels.items()
        if version in versions and version > served
    }


def _entry(folder: Path, before: dict[str, ModelConfig]) -> ModelConfig | None:
    versions = list_versions(folder)
    if not versions:
        return None
    try:
        content = read_version_file(folder)
    except UserInputError as error:
        # One model's broken file stops neither the others nor what TensorFlow Serving does now.
        logging.warning("models.config: %s is left as it was: %s", folder.name, error)
        return before.get(folder.name)
    served = content.served(versions)
    labels = {
        label: version
        for label, version in content.labels.items()
        if version in versions and version <= served
    }
    entry = ModelConfig(
        name=folder.name,
        base_path=f"{MOUNT}/{folder.name}",
        model_platform="tensorflow",
        version_labels=labels,
    )
    listed = sorted({served, *labels.values()})
    if listed == versions[-1:] and content.pinned != served:
        entry.model_version_policy.latest.num_versions = 1
    else:
        entry.model_version_policy.specific.versions.extend(listed)
    return entry


def _read(path: Path) -> dict[str, ModelConfig]:
    try:
        config = text_format.Parse(path.read_text(), ModelServerConfig())
    except (OSError, text_format.ParseError):
        return {}
    return {entry.name: entry for entry in config.model_config_list.config}
