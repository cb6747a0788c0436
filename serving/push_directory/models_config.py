"""`models.config`: the configuration with which TensorFlow Serving serves a push directory.

TensorFlow Serving answers a request that names no version with the largest version it has loaded.
So no version above the default one may be listed, not even for a label: after a rollback it would
answer again. Such a label is left out until its version is the default one, or older.
"""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from pipeline_config import UserInputError
from serving.push_directory import durable_files
from serving.push_directory.layout import largest_number, model_folders
from serving.push_directory.model_versions import ModelVersions, read_versions

CONFIG_FILE = "models.config"

MOUNT = "/models"
"""Path of the push directory in TensorFlow Serving's container."""

_LOCK_FILE = ".models.config.lock"
_ENTRY = re.compile(r"^  config \{\n    name: (?P<name>.*)\n(?:    .*\n)*  \}\n", re.MULTILINE)
_LOG = logging.getLogger(__name__)
_HEADER = "# aepipe writes this file anew at each push and each `aepipe models` change.\n"


def write_models_config(push_root: Path) -> Path:
    """Writes `models.config` for all models below a push directory, by one rename.

    Pushes of several models may call it at the same time: each reads all models while it holds
    the lock, so the last one to write has read every change.

    Args:
        push_root: The push directory.

    Returns:
        The file.
    """
    path = push_root / CONFIG_FILE
    with FileLock(push_root / _LOCK_FILE):
        before = _entries(path)
        # TensorFlow Serving ignores an empty file, so the list is written even if it is empty.
        lines = [_HEADER, "model_config_list {\n"]
        lines += [_entry(folder, before) for folder in model_folders(push_root)]
        durable_files.write_text(path, "".join([*lines, "}\n"]))
    return path


def label_notices(before: ModelVersions, after: ModelVersions) -> list[str]:
    """Returns a sentence for each label that TensorFlow Serving does not serve after a change."""
    left_out = [
        f"TensorFlow Serving would answer every request with {version}, the larger number: "
        f"label {name} is left out of models.config while {after.served} is served"
        for name, version in after.file.labels.items()
        if version in after.sound and version > after.served
    ]
    loaded = {*before.file.labels.values(), before.served}
    return left_out + [
        f"TensorFlow Serving moves a label only to a version it has loaded: with it, remove label "
        f"{name} first, and set it once models.config was read again"
        for name, version in after.file.labels.items()
        if before.file.labels.get(name, version) != version
        and version not in loaded
        and version < after.served
    ]


def _entry(folder: Path, before: Mapping[str, str]) -> str:
    """Returns a model's `config {...}`, or nothing if it has no version."""
    try:
        model = read_versions(folder)
        if not model.numbers:
            return ""
        served = model.served
    except UserInputError as error:
        # A damaged model neither blocks the others nor changes what TensorFlow Serving serves.
        _LOG.warning("models.config: %s is left as it was: %s", folder.name, error)
        return before.get(_quoted(folder.name), "")
    labels = {
        label: version
        for label, version in sorted(model.file.labels.items())
        if version in model.sound and version <= served
    }
    listed = sorted({served, *labels.values()})
    if listed == [largest_number(folder)] and model.file.pinned != served:
        policy = ["latest {", "  num_versions: 1", "}"]
    else:
        policy = ["specific {", *(f"  versions: {version}" for version in listed), "}"]
    lines = [
        "config {",
        f"  name: {_quoted(folder.name)}",
        f"  base_path: {_quoted(f'{MOUNT}/{folder.name}')}",
        '  model_platform: "tensorflow"',
        "  model_version_policy {",
        *(f"    {line}" for line in policy),
        "  }",
    ]
    for label, version in labels.items():
        lines += [
            "  version_labels {",
            f"    key: {_quoted(label)}",
            f"    value: {version}",
            "  }",
        ]
    return "".join(f"  {line}\n" for line in [*lines, "}"])


def _entries(path: Path) -> dict[str, str]:
    """Returns the entries of an earlier `models.config`, by their quoted names."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        return {}
    return {found["name"]: found[0] for found in _ENTRY.finditer(text)}


def _quoted(text: str) -> str:
    """Returns a string of protobuf's text format, in ASCII."""
    escaped = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}"
        for byte in text.encode(errors="surrogateescape")
    )
    return f'"{escaped}"'
