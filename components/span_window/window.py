"""Which spans an ExampleGen reads, and which files each has."""

import dataclasses
import json
from collections.abc import Collection
from typing import Any

from google.protobuf import json_format, struct_pb2
from tfx.components.example_gen import utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from pipeline_config import NEWEST_SPLIT, PREVIOUS_SPLIT, UserInputError
from span_patterns import (
    SpanWindow,
    as_glob,
    find_spans,
    has_spans,
    rolling_window,
    without_excluded,
)

WINDOW_PROPERTY = "span_window"
"""Execution property of an ExampleGen and custom property of its examples: `ReadWindow` as JSON."""

_EXCLUDED_KEY = "excluded_spans"
_COMPARE_KEY = "compare_spans"


@dataclasses.dataclass(frozen=True)
class ReadSpan:
    """One span, as TFX resolved it.

    Attributes:
        number: Span number.
        version: The newest version; None where the patterns have none.
        patterns: Glob below the input base of each input split.
    """

    number: int
    version: int | None
    patterns: dict[str, str]


@dataclasses.dataclass(frozen=True)
class ReadWindow:
    """What one execution of an ExampleGen reads.

    Attributes:
        spans: Oldest first.
        previous: What the newest span is compared with; None where there is no earlier one or
            nothing is to be compared.
        fingerprint: TFX's digest of names, sizes and times of all these files.
    """

    spans: tuple[ReadSpan, ...]
    previous: ReadSpan | None
    fingerprint: str

    @property
    def newest(self) -> ReadSpan:
        """The newest span."""
        return self.spans[-1]

    @property
    def drift_spans(self) -> dict[str, ReadSpan]:
        """The spans to compare by the name of their split; none where there is no earlier one."""
        if self.previous is None:
            return {}
        return {NEWEST_SPLIT: self.newest, PREVIOUS_SPLIT: self.previous}

    def to_json(self) -> str:
        """Returns the window as text."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ReadWindow":
        """Reads `to_json` back."""
        values = json.loads(text)
        previous = values["previous"]
        return cls(
            tuple(ReadSpan(**span) for span in values["spans"]),
            ReadSpan(**previous) if previous else None,
            values["fingerprint"],
        )


def window_settings(excluded_spans: Collection[int], compare_spans: bool) -> dict[str, Any]:
    """Returns what goes into an ExampleGen's custom config.

    Args:
        excluded_spans: Spans that neither a window nor a comparison takes, except the newest.
        compare_spans: Whether to read the span before the newest for a comparison.
    """
    return {_EXCLUDED_KEY: sorted(excluded_spans), _COMPARE_KEY: compare_spans}


def window_to_read(exec_properties: dict[str, Any]) -> ReadWindow | None:
    """Returns an ExampleGen's window; None where its patterns name no spans.

    The driver has resolved it and left it in the execution's properties. Where a runner does
    without drivers, as Kubeflow's does, it is resolved here.

    Raises:
        UserInputError: No file matches, or a span lacks files of one input split.
    """
    if text := exec_properties.get(WINDOW_PROPERTY):
        return ReadWindow.from_json(str(text))
    return resolve_window(exec_properties)


def resolve_window(exec_properties: dict[str, Any]) -> ReadWindow | None:
    """Resolves the window by what lies in the input base now.

    TFX's ExampleGen reads one span. Its `RangeConfig` says here which spans make a window: the
    newest `num_spans` of a rolling range, by default 1, or all of a static range. Each is then
    resolved, with its newest version, by TFX as a static range of one.

    Returns:
        The window, or None where the patterns name no spans.

    Raises:
        UserInputError: No file matches, or a span lacks files of one input split.
    """
    source = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], source)
    if not any(has_spans(split.pattern) for split in source.splits):
        return None
    base = str(exec_properties[standard_component_specs.INPUT_BASE_KEY]).rstrip("/")
    settings = _settings(exec_properties)
    excluded = {int(number) for number in settings.get(_EXCLUDED_KEY, [])}
    window = _choose_window(
        _span_numbers(base, source.splits[0].pattern), _range_config(exec_properties), excluded
    )
    if window is None:
        raise UserInputError(
            f"{base}/{source.splits[0].pattern}: no file matches: put a span there"
        )
    previous = window.previous if settings.get(_COMPARE_KEY) else None
    read = {*window.spans} | ({previous} if previous is not None else set())
    resolved = {number: _resolve_span(base, source, number) for number in sorted(read)}
    return ReadWindow(
        tuple(resolved[number][0] for number in window.spans),
        None if previous is None else resolved[previous][0],
        "\n".join(fingerprint for _, fingerprint in resolved.values()),
    )


def patterns_to_read(exec_properties: dict[str, Any], split_pattern: str) -> list[str]:
    """Returns the full globs behind an input split's pattern: one a span of the window, else one.

    Args:
        exec_properties: The ExampleGen's.
        split_pattern: Pattern of an input split, or a span's glob as in `ReadSpan.patterns`.
    """
    base = str(exec_properties[standard_component_specs.INPUT_BASE_KEY]).rstrip("/")
    window = window_to_read(exec_properties) if has_spans(split_pattern) else None
    if window is None:
        return [f"{base}/{split_pattern}"]
    source = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], source)
    (name,) = {split.name for split in source.splits if split.pattern == split_pattern}
    return [f"{base}/{span.patterns[name]}" for span in window.spans]


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


def _span_numbers(base: str, pattern: str) -> list[int]:
    paths = fileio.glob(f"{base}/{as_glob(pattern)}")
    return sorted(find_spans(pattern, (str(path)[len(base) + 1 :] for path in paths)))


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


def _resolve_span(base: str, source: example_gen_pb2.Input, number: int) -> tuple[ReadSpan, str]:
    one = range_config_pb2.RangeConfig(
        static_range=range_config_pb2.StaticRange(start_span_number=number, end_span_number=number)
    )
    resolved = example_gen_pb2.Input()
    resolved.CopyFrom(source)
    try:
        fingerprint, _, version = utils.calculate_splits_fingerprint_span_and_version(
            base, resolved.splits, one
        )
    except ValueError as error:
        raise UserInputError(f"{base}, span {number}: {error}") from error
    patterns = {split.name: split.pattern for split in resolved.splits}
    return ReadSpan(number, version, patterns), fingerprint
