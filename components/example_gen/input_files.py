"""Which files an ExampleGen reads: those the run has chosen, else what lies there now."""

import dataclasses
from collections.abc import Iterable
from typing import Any, TypeVar

from absl import logging
from google.protobuf import json_format, message, struct_pb2
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from data.spans.files import LOCAL, FileSystem
from data.spans.folder import DataFolder
from data.spans.window import ReadWindow
from pipeline_config import ImageData, SignalData, data_from_reading

_Message = TypeVar("_Message", bound=message.Message)

WINDOW_PROPERTY = "span_window"
"""Execution property of an ExampleGen and custom property of its examples: `ReadWindow` as JSON."""

HELD_OUT = "held_out"
"""Key of `settings`: `data.held_out`, if it is not 0."""


class RemoteFiles:
    """A store that TFX reaches by a prefix such as `gs://`, with files and nothing else."""

    def names(self, folder: str) -> list[str]:
        """Returns what a folder holds; nothing if there is no such folder."""
        if not fileio.isdir(folder):
            return []
        # An object store ends the names of folders with a slash.
        return [str(name).rstrip("/") for name in fileio.listdir(folder)]

    def is_folder(self, path: str) -> bool:
        """Whether a path leads to a folder."""
        return bool(fileio.isdir(path))

    def require_file(self, path: str) -> None:
        """Does nothing: what is listed and no folder is a file."""

    def size_and_time(self, path: str) -> tuple[int, int]:
        """Returns a file's bytes, and when it was changed in nanoseconds since 1970."""
        found = fileio.stat(path)
        return int(found.length), int(found.mtime_nsec)

    def content(self, path: str) -> bytes:
        """Returns what a small file holds."""
        with fileio.open(path, "rb") as file:
            return bytes(file.read())


def resolve_window(exec_properties: dict[str, Any]) -> ReadWindow:
    """Returns the files that the run has chosen, else those in the input base now.

    The driver has resolved them and left them in the execution's properties, unless a runner does
    without drivers, as Kubeflow's does. TFX's ExampleGen reads one span; the rolling range of its
    `RangeConfig` says here how many of the newest spans make a window, by default 1.

    Raises:
        UserInputError: No file matches, or a span lacks files of one input split.
    """
    chosen = settings(exec_properties)
    if text := exec_properties.get(WINDOW_PROPERTY) or chosen.get("files"):
        return ReadWindow.from_json(str(text))
    base = input_base(exec_properties)
    files: FileSystem = RemoteFiles() if "://" in base else LOCAL
    folder = DataFolder(base, input_splits(exec_properties), files)
    for notice in folder.notices:
        logging.info(notice)
    size = 1
    if text := exec_properties.get(standard_component_specs.RANGE_CONFIG_KEY):
        size = _parsed(text, range_config_pb2.RangeConfig()).rolling_range.num_spans or 1
    return folder.newest_window(size, compare_spans=bool(chosen.get("compare_spans")))


def paths_to_read(exec_properties: dict[str, Any], split_pattern: str) -> list[list[str]]:
    """Returns the full paths of the files of the input split with this pattern, a list a span."""
    splits = input_splits(exec_properties)
    split = next(name for name, pattern in splits.items() if pattern == split_pattern)
    spans = resolve_window(exec_properties).spans
    return [full_paths(exec_properties, span.files[split]) for span in spans]


def full_paths(exec_properties: dict[str, Any], names: Iterable[str]) -> list[str]:
    """Returns the full paths of files named relative to the input base."""
    base = input_base(exec_properties)
    return [f"{base}/{name}" for name in names]


def input_base(exec_properties: dict[str, Any]) -> str:
    """Returns the folder or remote prefix that names of files count from, without a slash."""
    return str(exec_properties[standard_component_specs.INPUT_BASE_KEY]).rstrip("/")


def settings(exec_properties: dict[str, Any]) -> dict[str, Any]:
    """Returns what the component's factory has packed into the custom config."""
    text = exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY]
    values = struct_pb2.Struct()
    _parsed(text, example_gen_pb2.CustomConfig()).custom_config.Unpack(values)
    found: dict[str, Any] = json_format.MessageToDict(values)
    return found


def data_settings(exec_properties: dict[str, Any]) -> SignalData | ImageData:
    """Returns how the files are read and split, as the component's factory was given it."""
    chosen = settings(exec_properties)
    data = data_from_reading(chosen["data"])
    return dataclasses.replace(data, held_out=chosen.get(HELD_OUT, 0.0))


def input_splits(exec_properties: dict[str, Any]) -> dict[str, str]:
    """Returns the file pattern of each input split."""
    text = exec_properties[standard_component_specs.INPUT_CONFIG_KEY]
    return {split.name: split.pattern for split in _parsed(text, example_gen_pb2.Input()).splits}


def _parsed(text: str, target: _Message) -> _Message:
    proto_utils.json_to_proto(text, target)
    return target
