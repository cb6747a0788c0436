"""Spans in a data folder: which there are, and which files each has."""

import dataclasses
import re
from pathlib import Path
from typing import Any

from data.checksum import matching_files
from data.patterns import patterns_of
from pipeline_config import ImageData, SignalData, UserInputError
from span_patterns import Span, find_spans, has_spans

_PATTERN_FIELDS = ("pattern", "train_pattern", "eval_pattern")
_NUMBER_FOLDER = re.compile(r"span-([0-9]+)")
_DATE_FOLDER = re.compile(r"span-[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclasses.dataclass(frozen=True)
class SpanFiles:
    """One span as it lies in the data folder.

    Attributes:
        span: Its number, newest version and name.
        files: All its files, sorted by name.
    """

    span: Span
    files: tuple[Path, ...]


def with_span_folders(data: SignalData | ImageData, directory: Path) -> SignalData | ImageData:
    """Returns `data` with patterns that look into span folders, where the folder has such.

    They are named by number (`span-7`, or `span-07` throughout) or by date (`span-2024-05-31`).
    Patterns that name spans themselves stay as they are.

    Raises:
        UserInputError: Span folders of both kinds, or of numbers with and without leading zeros,
            or files beside them that the patterns match too.
    """
    if any(has_spans(pattern) for pattern in patterns_of(data)):
        return data
    folders = sorted(path.name for path in directory.glob("span-*") if path.is_dir())
    numbers = [found[1] for name in folders if (found := _NUMBER_FOLDER.fullmatch(name))]
    dates = [name for name in folders if _DATE_FOLDER.fullmatch(name)]
    if not numbers and not dates:
        return data
    beside = matching_files(directory, patterns_of(data))
    if beside:
        raise UserInputError(
            f"{beside[0]}: there are span folders beside it: move it into one, such as "
            f"{(dates or ['span-' + numbers[0]])[0]}"
        )
    if numbers and dates:
        raise UserInputError(
            f"{directory}: span-{numbers[0]} and {dates[0]}: name all by number or all by date"
        )
    folder = "span-{YYYY}-{MM}-{DD}" if dates else f"span-{_placeholder(numbers, directory)}"
    patterns: dict[str, Any] = {
        name: f"{folder}/{getattr(data, name)}" for name in _PATTERN_FIELDS if hasattr(data, name)
    }
    return dataclasses.replace(data, **patterns)


def span_numbers(directory: Path, data: SignalData | ImageData) -> list[int]:
    """Returns the numbers of a data folder's spans, ascending; none where no pattern names spans.

    Raises:
        UserInputError: A pattern that TFX cannot read.
    """
    return sorted(set().union(*_spans_by_pattern(directory, data).values()))


def span_files(directory: Path, data: SignalData | ImageData, number: int) -> SpanFiles:
    """Returns the files of one span's newest version.

    Raises:
        UserInputError: The span lacks files of one pattern, or has another version of them.
    """
    found = {
        pattern: spans.get(number) for pattern, spans in _spans_by_pattern(directory, data).items()
    }
    (some, *_) = (span for span in found.values() if span)
    files: set[Path] = set()
    for pattern, span in found.items():
        if span is None or span.version != some.version:
            raise UserInputError(
                f"{directory / some.fill(pattern)}: span {some.name} has no such file: add it, or "
                "keep the span's folder under another name until it is complete"
            )
        files.update(matching_files(directory, [span.fill(pattern)]))
    return SpanFiles(some, tuple(sorted(files)))


def _placeholder(numbers: list[str], directory: Path) -> str:
    if all(number == str(int(number)) for number in numbers):
        return "{SPAN}"
    widths = {len(number): number for number in numbers}
    if len(widths) > 1:
        short, long = widths[min(widths)], widths[max(widths)]
        raise UserInputError(
            f"{directory}: span-{short} and span-{long}: give all numbers as many digits, "
            "or none a leading zero"
        )
    return f"{{SPAN:{len(numbers[0])}}}"


def _spans_by_pattern(directory: Path, data: SignalData | ImageData) -> dict[str, dict[int, Span]]:
    patterns = patterns_of(data)
    named = [pattern for pattern in patterns if has_spans(pattern)]
    if named and len(named) < len(patterns):
        raise UserInputError(f"{', '.join(patterns)}: name spans in both patterns, or in none")
    return {
        pattern: find_spans(
            pattern,
            (
                path.relative_to(directory).as_posix()
                for path in matching_files(directory, [pattern])
            ),
        )
        for pattern in named
    }
