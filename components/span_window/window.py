"""Which files an ExampleGen reads: those the run has chosen, else what lies there now."""

from collections.abc import Collection, Iterable
from typing import Any

from google.protobuf import json_format, struct_pb2
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.span_window.file_system import file_system
from data.spans import DataFolder
from data.window import ReadWindow
from pipeline_config import UserInputError
from span_patterns import SpanWindow, has_spans, rolling_window, without_excluded

WINDOW_PROPERTY = "span_window"
"""Execution property of an ExampleGen and custom property of its examples: `ReadWindow` as JSON."""

FILES_KEY = "files"
"""Custom config of an ExampleGen: `ReadWindow` as JSON, what the run has chosen to read."""

_EXCLUDED_KEY = "excluded_spans"
_COMPARE_KEY = "compare_spans"


def window_settings(
    excluded_spans: Collection[int], compare_spans: bool, files: ReadWindow | None = None
) -> dict[str, Any]:
    """Returns what goes into an ExampleGen's custom config.

    Args:
        excluded_spans: Spans that neither a window nor a comparison takes, except the newest.
        compare_spans: Whether to read the span before the newest for a comparison.
        files: Exactly what to read; None to look for it when the ExampleGen runs.
    """
    settings = {_EXCLUDED_KEY: sorted(excluded_spans), _COMPARE_KEY: compare_spans}
    return settings if files is None else settings | {FILES_KEY: files.to_json()}


def window_to_read(exec_properties: dict[str, Any]) -> ReadWindow:
    """Returns the files that an ExampleGen reads.

    The driver has resolved them and left them in the execution's properties. If a runner does
    without drivers, as Kubeflow's does, they are resolved here.

    Raises:
        UserInputError: No file matches, or a span lacks files of one input split.
    """
    if text := exec_properties.get(WINDOW_PROPERTY):
        return ReadWindow.from_json(str(text))
    return resolve_window(exec_properties)


def resolve_window(exec_properties: dict[str, Any]) -> ReadWindow:
    """Returns the files that the run has chosen, else those in the input base now.

    TFX's ExampleGen reads one span. Its `RangeConfig` says here which spans make a window: the
    newest `num_spans` of a rolling range, by default 1, or all of a static range.

    Raises:
        UserInputError: No file matches, or a span lacks files of one input split.
    """
    settings = _settings(exec_properties)
    if text := settings.get(FILES_KEY):
        return ReadWindow.from_json(text)
    base = str(exec_properties[standard_component_specs.INPUT_BASE_KEY]).rstrip("/")
    splits = _input_splits(exec_properties)
    folder = DataFolder(base, splits, file_system(base))
    if not any(map(has_spans, splits.values())):
        everything = folder.everything()
        fingerprint = folder.size_and_time_fingerprint([everything])
        return ReadWindow((everything,), None, fingerprint)
    excluded = {int(number) for number in settings.get(_EXCLUDED_KEY, [])}
    window = _choose_window(folder.span_numbers, _range_config(exec_properties), excluded)
    if window is None:
        raise UserInputError(
            f"{base}/{next(iter(splits.values()))}: no file matches: put a span there"
        )
    previous = window.previous if settings.get(_COMPARE_KEY) else None
    read = {*window.spans} | ({previous} if previous is not None else set())
    resolved = {number: folder.span(number) for number in sorted(read)}
    return ReadWindow(
        tuple(resolved[number] for number in window.spans),
        None if previous is None else resolved[previous],
        folder.size_and_time_fingerprint(resolved.values()),
    )


def paths_to_read(exec_properties: dict[str, Any], split_pattern: str) -> list[list[str]]:
    """Returns the full paths of an input split's files, a list a span.

    Args:
        exec_properties: The ExampleGen's.
        split_pattern: Pattern of the input split.
    """
    splits = _input_splits(exec_properties)
    split = next(name for name, pattern in splits.items() if pattern == split_pattern)
    window = window_to_read(exec_properties)
    return [full_paths(exec_properties, span.files[split]) for span in window.spans]


def full_paths(exec_properties: dict[str, Any], names: Iterable[str]) -> list[str]:
    """Returns the full paths of files named relative to the input base."""
    base = str(exec_properties[standard_component_specs.INPUT_BASE_KEY]).rstrip("/")
    return [f"{base}/{name}" for name in names]


def _choose_window(
    numbers: list[int], ranges: range_config_pb2.RangeConfig, excluded: set[int]
) -> SpanWindow | None:
    if not ranges.HasField("static_range"):
        size = ranges.rolling_range.num_spans or 1
        return rolling_window(without_excluded(numbers, excluded), size)
    first, last = ranges.static_range.start_span_number, ranges.static_range.end_span_number
    if last not in numbers:
        return None
    usable = without_excluded([number for number in numbers if number <= last], excluded)
    return rolling_window(usable, sum(number >= first for number in usable))


def _input_splits(exec_properties: dict[str, Any]) -> dict[str, str]:
    source = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], source)
    return {split.name: split.pattern for split in source.splits}


def _range_config(exec_properties: dict[str, Any]) -> range_config_pb2.RangeConfig:
    ranges = range_config_pb2.RangeConfig()
    if text := exec_properties.get(standard_component_specs.RANGE_CONFIG_KEY):
        proto_utils.json_to_proto(text, ranges)
    return ranges


def _settings(exec_properties: dict[str, Any]) -> dict[str, Any]:
    custom = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY], custom)
    values = struct_pb2.Struct()
    custom.custom_config.Unpack(values)
    settings: dict[str, Any] = json_format.MessageToDict(values)
    return settings
